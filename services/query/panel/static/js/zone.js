/** The browser's time zone, told to the server once by a cookie; a zone chosen by hand is kept per person and wins. */
const zone = Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";
if (!document.cookie.split("; ").includes(`syncwatch_zone=${encodeURIComponent(zone)}`)) {
  document.cookie = `syncwatch_zone=${encodeURIComponent(zone)}; path=/; max-age=31536000; samesite=lax`;
}
export {};
