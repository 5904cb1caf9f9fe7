/** Everything that any page does beyond what works without JavaScript. */
import "./zone.js";
import "./copy.js";
import "./tips.js";
import "./lists.js";
import "./job.js";
import "./keys.js";
import "./exports.js";
import "./names.js";
import "./live.js";
