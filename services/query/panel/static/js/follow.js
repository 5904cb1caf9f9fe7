/** The log of a session that runs is followed to its end, and until all that it sent is here or is lost. */
import { all, one } from "./dom.js";
import { EVERY_MS, held } from "./live.js";
import { LINE, MOST, extend, fetched, loading, numberOf, placed, region, setWay, takeSums, way } from "./log.js";

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

/**
 * The rows from an address on to the first line that is shown already, and that line (null: there is none up to the end);
 * null where they did not come. @param {string} href
 */
async function upToShown(href) {
  /** @type {HTMLElement[]} */
  const late = [];
  while (late.length < MOST) {
    const page = await fetched(href).catch(() => null);
    if (!page) return null;
    const rows = all("#log-lines > tr", page);
    const known = rows.findIndex((row) => row.matches(LINE) && document.getElementById(row.id));
    late.push(...rows.slice(0, known < 0 ? rows.length : known));
    const on = /** @type {HTMLAnchorElement | null} */ (one('#log-ways a[rel="next"]', page));
    if (known >= 0 || !on) return { late, next: document.getElementById(rows[known]?.id ?? "") };
    href = on.href;
  }
  location.reload(); // more than the window holds
  return null;
}

/** Put what came late where a part is told missing; whether nothing is left to put there. @param {HTMLElement} lost */
async function mendAt(lost) {
  const [lines, follows] = [all(LINE), Node.DOCUMENT_POSITION_FOLLOWING];
  const before = lines.filter((row) => row.compareDocumentPosition(lost) & follows).at(-1) ?? null;
  const behind = lines.find((row) => lost.compareDocumentPosition(row) & follows) ?? null;
  if (!behind && way("next")) { lost.remove(); return true; } // who scrolls there is told anew
  const edge = !before && behind && way("prev"); // the lines come as one scrolls there; what is told before them does not
  const came = await upToShown(placed(before ? { after: numberOf(before) } : edge ? { before: numberOf(behind) + 1 } : { at: 1 }));
  const [place, body] = [region(), one("#log-lines")];
  if (!came || !place || !body || !lost.isConnected || (before && !before.isConnected)) return false;
  const { late, next } = came;
  if (edge) late.splice(0, late.findLastIndex((row) => row.matches(LINE)) + 1);
  else if (!late.some((row) => row.matches(LINE))) return true;
  const anchor = all(LINE).find((row) => row.getBoundingClientRect().bottom > place.getBoundingClientRect().top);
  const top = anchor?.getBoundingClientRect().top ?? 0;
  const told = () => (next ? next.previousElementSibling : body.lastElementChild);
  for (let row = told(); row && row !== before; row = told()) row.remove(); // told anew by what came
  for (const row of late) { row.removeAttribute("aria-current"); body.insertBefore(row, next); }
  if (anchor) place.scrollTop += anchor.getBoundingClientRect().top - top;
  return true;
}

/** Parts that come late go where the page says that they are missing; what is being read stays where it is. Whether all that came are there. */
async function mend() {
  let whole = true;
  for (const lost of all("#log-lines .lost")) if (lost.isConnected && !(await mendAt(lost))) whole = false;
  return whole;
}

let following = 0;
let asking = false;
/** Whether each part that came is in its place, as far as the page knows. */
let mended = true;

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
  if (changed || !mended) mended = await mend();
  if (changed || rows.length) takeSums(page);
  if (takeFacts(page) && mended && !("coming" in facts.dataset)) clearInterval(following);
}
if (one("#log-facts[data-coming]") && !one("#too-long")) following = window.setInterval(follow, EVERY_MS);
