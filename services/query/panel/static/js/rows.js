/** The rows of a list, kept up to date: none moves. What is new is counted in a pill, what no longer matches turns grey. */
import { all, make, makePill, one } from "./dom.js";
import { held, registerList } from "./live.js";

const DOT_MS = 10000;

/** What the server last sent for a row, by its id. @type {Map<string, string>} */
const known = new Map();

function remember() {
  known.clear();
  for (const row of all("#rows > tr")) known.set(row.id, row.innerHTML);
}

/** @param {HTMLElement} now @param {HTMLElement} fresh */
function changeRow(now, fresh) {
  if (now.className.replace(/ ?(changed|chosen|gone)/g, "") !== fresh.className) now.className = fresh.className;
  const cells = [...fresh.children];
  [...now.children].forEach((cell, index) => {
    const next = cells[index];
    if (next && cell.innerHTML !== next.innerHTML) cell.replaceWith(next);
  });
  now.classList.add("changed");
  setTimeout(() => now.classList.remove("changed"), DOT_MS);
}

/** A row that no longer matches stays where it is, greyed, and says so until the next show. @param {HTMLElement} row @param {boolean} gone */
function tellGone(row, gone) {
  row.classList.toggle("gone", gone);
  const said = one(".gone-word", row);
  if (!gone) said?.remove();
  else if (!said) one("th", row)?.append(make("span", { class: "gone-word" }, "no longer matches"));
}

/** @param {Document} page @returns {number} rows changed */
function mergeRows(page) {
  const fresh = all("#rows > tr", page);
  let changed = 0;
  let unseen = 0;
  for (const row of fresh) {
    const sent = row.innerHTML;
    const now = document.getElementById(row.id);
    if (!now) { unseen += 1; continue; }
    tellGone(now, false);
    if (known.get(row.id) === sent || held(now)) continue;
    known.set(row.id, sent);
    changeRow(now, row);
    changed += 1;
  }
  const whole = !one('#list a[rel="next"], #list a[rel="prev"]', page);
  const ids = new Set(fresh.map((row) => row.id));
  for (const row of all("#rows > tr")) if (whole && !ids.has(row.id)) tellGone(row, true);
  showPill(unseen, page);
  return changed;
}

/** @param {number} unseen @param {Document} page */
function showPill(unseen, page) {
  const place = one("#live-place");
  if (!place || place.contains(document.activeElement)) return;
  place.replaceChildren(...(unseen ? [makePill(`${unseen} new · show`, () => showNew(page))] : []));
}

/** @param {Document} page */
function showNew(page) {
  const list = one("#list", page);
  if (!list) return;
  const scroll = one(".scroll")?.scrollLeft ?? 0;
  one("#list")?.replaceWith(list);
  const region = one(".scroll");
  if (region) region.scrollLeft = scroll;
  /** @type {any} */ (window).htmx?.process(list);
  document.dispatchEvent(new Event("htmx:after:swap"));
  one(".scroll")?.focus({ preventScroll: true });
}

/** All of the list comes anew, and one stays where one is. @param {Document} page */
function renew(page) {
  const row = document.activeElement?.closest("#rows > tr")?.id;
  const top = one(".scroll")?.scrollTop ?? 0;
  showNew(page);
  one(".scroll")?.scrollTo({ top });
  if (row) one(`#${row} [data-job]`)?.focus({ preventScroll: true });
}

remember();
document.addEventListener("htmx:after:swap", remember);
registerList({ merge: mergeRows, renew });
