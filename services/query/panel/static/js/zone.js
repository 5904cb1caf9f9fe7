/**
 * The browser's time zone, told to the server once by a cookie; a zone chosen by hand is kept per person and wins. The
 * address names the zone of its page, but for a first visit: that was answered before the browser's zone was known.
 */
import { hit, zoned } from "./dom.js";

const told = `syncwatch_zone=${encodeURIComponent(Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC")}`;
if (document.cookie.split("; ").includes(told)) history.replaceState(history.state, "", zoned(location.href));
else document.cookie = `${told}; path=/; max-age=31536000; samesite=lax`;

/** Where the address names a zone, a link without one leads to a page in the same; the top bar leads back to one's own. */
document.addEventListener("click", (event) => {
  const link = hit(event, "a[href]");
  if (!new URLSearchParams(location.search).has("tz") || hit(event, ".top")) return;
  if (link instanceof HTMLAnchorElement && /^[/?](?!api\/)/.test(link.getAttribute("href") ?? "")) link.href = zoned(link.href);
}, true);
