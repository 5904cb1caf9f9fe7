/** The log of a session that runs is followed to its end, and until all that it sent is here or is lost. */
import { all, one } from "./dom.js";
import { held } from "./live.js";
import { LINE, extend, fetched, loading, numberOf, placed, region, setWay, takeSums, way } from "./log.js";

const EVERY_MS = 5000;

/** Keep heading, status and facts as the server tells them; whether they are, or somebody holds them. @param {Document} page */
function takeFacts(page) {
  let all = true;
  for (const id of ["log-heading", "log-status", "log-facts"]) {
    const [now, fresh] = [one(`#${id}`), one(`#${id}`, page)];
    if (!now || !fresh || now.innerHTML === fresh.innerHTML) continue;
    if (held(now)) all = false; else now.innerHTML = fresh.innerHTML;
  }
  return all;
}

/** Parts that come late go where the page says that they are missing; what is being read stays where it is. */
async function mend() {
  for (const lost of all("#log-lines .lost")) {
    const before = all(LINE).filter((row) => row.compareDocumentPosition(lost) & Node.DOCUMENT_POSITION_FOLLOWING).at(-1) ?? null;
    const page = await fetched(placed(before ? { after: numberOf(before) } : { at: 1 })).catch(() => null);
    const rows = page ? all("#log-lines > tr", page) : [];
    const known = rows.findIndex((row) => row.matches("[id^=line-]") && document.getElementById(row.id));
    const late = known < 0 ? [] : rows.slice(0, known);
    const place = region();
    if (!place || !lost.isConnected || !late.some((row) => row.matches("[id^=line-]"))) continue;
    const next = document.getElementById(rows[known]?.id ?? "");
    const anchor = all(LINE).find((row) => row.getBoundingClientRect().bottom > place.getBoundingClientRect().top);
    const top = anchor?.getBoundingClientRect().top ?? 0;
    while (next?.previousElementSibling && next.previousElementSibling !== before) next.previousElementSibling.remove(); // told anew by what came
    for (const row of late) { row.removeAttribute("aria-current"); next?.before(row); }
    if (anchor) place.scrollTop += anchor.getBoundingClientRect().top - top;
  }
}

let following = 0;
let asking = false;

/** What a session has said since, under what is shown, until it has ended and all that it sent is here, or is lost. */
async function follow() {
  if (document.hidden || loading || asking) return;
  asking = true;
  await takeNews().finally(() => { asking = false; });
}

async function takeNews() {
  const within = way("next"); // lines that are out of the window come as one scrolls there
  const last = all(LINE).at(-1) ?? null;
  const page = await (within ? fetched(location.href, "live") : fetched(last ? placed({ after: numberOf(last) }) : location.href)).catch(() => null);
  const facts = page && one("#log-facts", page);
  if (!page || !facts) return;
  if (one("#too-long", page)) { location.reload(); return; } // it grew so long while it was read
  const changed = facts.innerHTML !== one("#log-facts")?.innerHTML;
  const place = region();
  const rows = all("#log-lines > tr", page).filter((row) => !row.id || !document.getElementById(row.id)); // the end may be told missing again
  if (rows.length && (!last || !place)) { location.reload(); return; }
  if (rows.length && place) {
    const atEnd = place.scrollHeight - place.scrollTop - place.clientHeight < 40;
    setWay("next", /** @type {HTMLAnchorElement | null} */ (one('#log-ways a[rel="next"]', page))?.href);
    extend("next", rows);
    if (atEnd) place.scrollTop = place.scrollHeight;
  }
  if (changed && one("#log-lines .lost")) await mend();
  if (changed || rows.length) takeSums(page);
  if (takeFacts(page) && !("coming" in facts.dataset)) clearInterval(following);
}
if (one("#log-facts[data-coming]") && !one("#too-long")) following = window.setInterval(follow, EVERY_MS);
