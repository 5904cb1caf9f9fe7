/** What only lists need: their columns, what the boxes of these take, and their rows, kept up to date. */
import "./picklist.js";
import "./rows.js";
import "./suggest.js";
