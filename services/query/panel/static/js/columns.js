/** What the columns of a list need beyond that: which ones there are, and what their boxes take. */
import "./picklist.js";
import "./suggest.js";
