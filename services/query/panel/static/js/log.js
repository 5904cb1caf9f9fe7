/**
 * The log viewer: a window over a log of any length that moves as one scrolls; matches and errors by key, link to a line,
 * wrapped lines. Without it, the links in the foot lead from part to part.
 */
import { all, hit, make, one, zoned } from "./dom.js";
import { copyText } from "./copy.js";
import { isCommand } from "./keys.js";
import { asksFor } from "./live.js";
import { toast } from "./say.js";

const wrap = one("[data-wrap]");
if (wrap) wrap.hidden = false;

/** Lines in the document at most; what is scrolled far away is taken out and fetched again when it comes near. */
export const MOST = 1500;
const NEAR_PX = 600;
const MOST_PARTS = 40;
export const LINE = "#log-lines tr[id^=line-]";
const WORDS = /** @type {Record<string, string>} */ ({ first: "First lines", prev: "Earlier lines", next: "Later lines", last: "Last lines" });
/** @type {Promise<boolean> | null} */
export let loading = null;

/** @param {HTMLElement | null} row */
export const numberOf = (row) => Number(row?.id.replace("line-", ""));

export function region() {
  return one(".log:not(.short)");
}

/** @param {string} rel */
export function way(rel) {
  return /** @type {HTMLAnchorElement | null} */ (one(`#log-ways a[rel="${rel}"]`));
}

/** Make a way out of the window lead somewhere else, or nowhere. @param {string} rel @param {string} [href] */
export function setWay(rel, href) {
  const link = way(rel);
  if (!href) { link?.remove(); return; }
  if (link) { link.href = href; return; }
  const order = Object.keys(WORDS);
  const after = all("#log-ways a").find((each) => order.indexOf(each.getAttribute("rel") ?? "") > order.indexOf(rel)) ?? null;
  one("#log-ways")?.insertBefore(make("a", { class: "btn", rel, href }, WORDS[rel] ?? ""), after);
}

/** All lines are shown, the matches of a search marked: without a place, the first match would be it. */
const asked = new URLSearchParams(location.search);
const marked = !!asked.get("text") && asked.get("show") !== "matching";

/** The address of this look at another place. @param {Record<string, number>} place */
export function placed(place) {
  const url = new URL(location.href);
  url.hash = "";
  for (const name of ["after", "before", "at"]) url.searchParams.delete(name);
  for (const [name, value] of Object.entries(place)) url.searchParams.set(name, String(value));
  return url.href;
}

/** @param {string} href @param {"log" | "live"} [part] the lines and what is told of them, or that alone */
export async function fetched(href, part = "log") {
  const answer = await fetch(zoned(href), { headers: asksFor(part) });
  return answer.ok ? new DOMParser().parseFromString(await answer.text(), "text/html") : null;
}

/** Put lines at one end and take as many out at the other, without moving what is being read. @param {"prev" | "next"} rel @param {HTMLElement[]} rows */
export function extend(rel, rows) {
  const [place, body] = [region(), one("#log-lines")];
  if (!place || !body) return;
  const anchor = all("tr[id^=line-]", body).find((row) => row.getBoundingClientRect().bottom > place.getBoundingClientRect().top);
  const before = anchor?.getBoundingClientRect().top ?? 0;
  if (rel === "next") body.append(...rows); else body.prepend(...rows);
  const over = all("tr", body).length - MOST;
  if (over > 0) {
    const far = rel === "next" ? all("tr", body) : all("tr", body).reverse();
    for (const row of far.slice(0, over)) {
      if (row === anchor || row.contains(document.activeElement)) break;
      row.remove();
    }
    const lines = all("tr[id^=line-]", body);
    if (rel === "next") { setWay("prev", placed({ before: numberOf(lines[0] ?? null) })); setWay("first", placed(marked ? { at: 1 } : {})); }
    else { setWay("next", placed({ after: numberOf(lines.at(-1) ?? null) })); setWay("last", placed({ before: 9999999999 })); }
  }
  if (anchor?.isConnected) place.scrollTop += anchor.getBoundingClientRect().top - before;
  const lines = all("tr[id^=line-]", body);
  const words = one("#log-place");
  if (words) words.textContent = `Lines ${numberOf(lines[0] ?? null).toLocaleString("en")} to ${numberOf(lines.at(-1) ?? null).toLocaleString("en")}${way("next") ? "" : ", the end"}`;
}

/** Fetch the part before or behind the window, one at a time. @param {"prev" | "next"} rel whether lines came */
async function load(rel) {
  loading ??= bring(rel).finally(() => { loading = null; });
  return loading;
}

/** Frame in the strip what the window holds; a part that is fetched frames only itself. */
function frameWindow() {
  const [strip, view] = [one(".log-strip"), one(".log-view")];
  if (!strip || !view) return;
  const rows = all(LINE);
  const [from = 0, to = 0] = [strip.dataset.first, strip.dataset.last].map((at) => Date.parse(at ?? ""));
  const places = rows.flatMap((row) => one("time", row)?.getAttribute("datetime") ?? []).map((at) => 960 * (Date.parse(at) - from) / Math.max(to - from, 1));
  const held = places.length > 0 && rows.length < Number(strip.dataset.lines);
  const left = Math.min(...places);
  view.setAttribute("x", held ? left.toFixed(1) : "0");
  view.setAttribute("width", held ? Math.max(8, Math.min(Math.max(...places) + 10, 960) - left).toFixed(1) : "0"); // 0: not drawn
}

/** The strip and the counts by level and source are of the whole log. @param {Document} page */
export function takeSums(page) {
  const strip = one("#log-strip", page);
  if (strip) one("#log-strip")?.replaceWith(strip);
  frameWindow();
  const counts = all(".checks .t3", page);
  all(".checks .t3").forEach((number, index) => { number.textContent = counts[index]?.textContent ?? number.textContent; });
  const [hits, found] = [one(".hits"), one(".hits", page)];
  if (!hits || !found) return;
  if (!Number(hits.dataset.number)) hits.dataset.number = found.dataset.number;
  hits.dataset.count = found.dataset.count;
  tellHit();
}

/** @param {"prev" | "next"} rel */
async function bring(rel) {
  const link = way(rel);
  if (!link) return false;
  try {
    const page = await fetched(link.href);
    const rows = page ? all("#log-lines > tr", page) : [];
    if (!page || !rows.length) return false;
    setWay(rel, /** @type {HTMLAnchorElement | null} */ (one(`#log-ways a[rel="${rel}"]`, page))?.href);
    if (!way(rel)) setWay(rel === "next" ? "last" : "first");
    extend(rel, rows);
    takeSums(page);
    requestAnimationFrame(nearEdge); // who scrolled on meanwhile is at an edge already
    return true;
  } catch {
    return false; // the link in the foot is still there to try again
  }
}

function nearEdge() {
  const place = region();
  if (!place || loading) return;
  if (place.scrollHeight - place.scrollTop - place.clientHeight < NEAR_PX) void load("next");
  else if (place.scrollTop < NEAR_PX) void load("prev");
}
region()?.addEventListener("scroll", nearEdge);

/** The line that keys go on from. */
function lineAtHand() {
  return /** @type {HTMLElement | null} */ (document.activeElement?.closest(LINE) ?? one(`${LINE}[aria-current]`) ?? one(`${LINE}:target`));
}

/** Scroll the lines, and the page only as far as line and tools ask for: the counter stays where it can be read. @param {HTMLElement} row */
function bringIntoView(row) {
  const place = region();
  if (!place) return;
  place.scrollTop += row.getBoundingClientRect().top - place.getBoundingClientRect().top - (place.clientHeight - row.offsetHeight) / 2;
  one(".log-tools")?.scrollIntoView({ block: "nearest" });
  row.scrollIntoView({ block: "nearest" });
}

/** Make a line the one at hand. @param {HTMLElement} row */
function take(row) {
  one(`${LINE}[aria-current]`)?.removeAttribute("aria-current");
  row.setAttribute("aria-current", "true");
  row.focus({ preventScroll: true });
  bringIntoView(row);
  history.replaceState(history.state, "", `${placed({ at: numberOf(row) })}#${row.id}`);
  tellHit();
}

/**
 * Say where the search stands, and let what leads on from there do so from the match at hand: to its neighbours in the
 * window, which may have come since, else to those that the server named.
 */
function tellHit() {
  const hits = one(".hits");
  if (!hits) return;
  const row = one(`${LINE}[aria-current][data-match]`);
  const [number = 0, before = 0, after = 0] = (row?.dataset.match ?? "").split(" ").map(Number);
  if (number) hits.dataset.number = String(number);
  const [at, count] = [Number(hits.dataset.number), Number(hits.dataset.count)];
  hits.textContent = count ? `${at.toLocaleString("en")} of ${count.toLocaleString("en")}` : "no match";
  if (!row) return;
  const rows = all(`${LINE}[data-match]`);
  const index = rows.indexOf(row);
  lead(one('[data-hit="before"]'), numberOf(rows[index - 1] ?? null) || before);
  lead(one('[data-hit="after"]'), numberOf(rows[index + 1] ?? null) || after);
}

/** Let a link of the search lead to a line; 0: to none. @param {HTMLElement | null} link @param {number} at */
function lead(link, at) {
  if (!(link instanceof HTMLAnchorElement)) return;
  if (!at) { link.removeAttribute("href"); link.setAttribute("aria-disabled", "true"); return; }
  const url = new URL(link.href || placed({}));
  url.searchParams.set("at", String(at));
  url.hash = `line-${at}`;
  link.href = url.href;
  link.removeAttribute("aria-disabled");
}

/** Go to the line of a kind behind or before the one at hand, fetching what lies there as long as none is found. @param {string} selector @param {"prev" | "next"} rel whether there is one */
async function seek(selector, rel) {
  const from = lineAtHand();
  const side = rel === "next" ? Node.DOCUMENT_POSITION_FOLLOWING : Node.DOCUMENT_POSITION_PRECEDING;
  for (let parts = 0; parts <= MOST_PARTS; parts += 1) {
    const rows = rel === "next" ? all(LINE + selector) : all(LINE + selector).reverse();
    const row = from?.isConnected ? rows.find((each) => from.compareDocumentPosition(each) & side) : rows[0];
    if (row) { take(row); return true; }
    if (!(await load(rel))) return false;
  }
  return false;
}

/** @param {"prev" | "next"} rel */
async function toMatch(rel) {
  if (await seek("[data-match]", rel)) return;
  const link = /** @type {HTMLAnchorElement | null} */ (one(`[data-hit="${rel === "next" ? "after" : "before"}"][href]`));
  if (link && way(rel)) location.assign(link.href); // further away than is fetched at once
  else toast(rel === "next" ? "No further match" : "No match before", "info");
}

/** Show the line that the address names; its hash has let the browser scroll the whole page, past the tools. */
function showNamed() {
  const row = one(`${LINE}:target`) ?? one(`${LINE}[aria-current]`);
  if (row) bringIntoView(row);
}

/** A page opened at a line begins at its top; one that is opened again stands where its reader left it. */
function arrive() {
  const [visit] = /** @type {PerformanceNavigationTiming[]} */ (performance.getEntriesByType("navigation"));
  if (location.hash && visit?.type === "navigate") window.scrollTo(0, 0);
  showNamed();
}
showNamed();
window.addEventListener("hashchange", showNamed);
window.addEventListener("load", () => requestAnimationFrame(arrive)); // until then the browser goes to the hash again

document.addEventListener("click", (event) => {
  const button = hit(event, "[data-wrap]");
  if (button) button.setAttribute("aria-pressed", String(one(".log")?.classList.toggle("wrap") ?? false));
});
document.addEventListener("change", (event) => {
  const box = hit(event, ".log-tools input[type=checkbox]");
  if (!(box instanceof HTMLInputElement) || !box.form) return;
  const at = numberOf(one(`${LINE}[aria-current]`));
  const place = make("input", { type: "hidden", name: "at", value: String(at) }); // other lines of the log, at the same place
  if (at) box.form.append(place);
  box.form.requestSubmit();
  place.remove();
});
document.addEventListener("keydown", (event) => {
  if (!isCommand(event) || one("dialog[open]")) return;
  if (event.key === "n") void toMatch("next");
  if (event.key === "p") void toMatch("prev");
  if (event.key === "e") void seek(".error", "next").then((found) => { if (!found) toast("No further error", "info"); });
  if (event.key === "l") {
    const link = lineAtHand()?.querySelector("a");
    if (link) void copyText(link.href, "Link to the line");
  }
});
