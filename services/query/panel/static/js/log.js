/**
 * The log viewer: a window over a log of any length that moves as one scrolls; next match, next error, link to a line,
 * wrapped lines, following a session that runs. Without it, the links in the foot lead from part to part.
 */
import { all, hit, make, one, zoned } from "./dom.js";
import { copyText } from "./copy.js";
import { isCommand } from "./keys.js";
import { toast } from "./say.js";

const wrap = one("[data-wrap]");
if (wrap) wrap.hidden = false;

/** Lines in the document at most; what is scrolled far away is taken out and fetched again when it comes near. */
const MOST = 1500;
const NEAR_PX = 600;
const EVERY_MS = 5000;
const MOST_PARTS = 40;
const WORDS = /** @type {Record<string, string>} */ ({ first: "First lines", prev: "Earlier lines", next: "Later lines", last: "Last lines" });
/** @type {Promise<boolean> | null} */
let loading = null;

/** @param {HTMLElement | null} row */
const numberOf = (row) => Number(row?.id.replace("line-", ""));

function region() {
  return one(".log:not(.short)");
}

/** @param {string} rel */
function way(rel) {
  return /** @type {HTMLAnchorElement | null} */ (one(`#log-ways a[rel="${rel}"]`));
}

/** Make a way out of the window lead somewhere else, or nowhere. @param {string} rel @param {string} [href] */
function setWay(rel, href) {
  const link = way(rel);
  if (!href) { link?.remove(); return; }
  if (link) { link.href = href; return; }
  const order = Object.keys(WORDS);
  const after = all("#log-ways a").find((each) => order.indexOf(each.getAttribute("rel") ?? "") > order.indexOf(rel)) ?? null;
  one("#log-ways")?.insertBefore(make("a", { class: "btn", rel, href }, WORDS[rel] ?? ""), after);
}

/** The address of this look at another place. @param {Record<string, number>} place */
function placed(place) {
  const url = new URL(location.href);
  url.hash = "";
  for (const name of ["after", "before", "at"]) url.searchParams.delete(name);
  for (const [name, value] of Object.entries(place)) url.searchParams.set(name, String(value));
  return url.href;
}

/** @param {string} href */
async function fetched(href) {
  const answer = await fetch(zoned(href), { headers: { "Syncwatch-Part": "log" } });
  return answer.ok ? new DOMParser().parseFromString(await answer.text(), "text/html") : null;
}

/** Put lines at one end and take as many out at the other, without moving what is being read. @param {"prev" | "next"} rel @param {HTMLElement[]} rows */
function extend(rel, rows) {
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
    if (rel === "next") { setWay("prev", placed({ before: numberOf(lines[0] ?? null) })); setWay("first", placed({})); }
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

/** The strip and the counts by level and source are of the whole log. @param {Document} page */
function takeSums(page) {
  const strip = one("#log-strip", page);
  if (strip) one("#log-strip")?.replaceWith(strip);
  const counts = all(".checks .t3", page);
  all(".checks .t3").forEach((number, index) => { number.textContent = counts[index]?.textContent ?? number.textContent; });
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

/** What a running session has said since, under what is shown. */
async function follow() {
  if (document.hidden || loading || way("next")) return;
  const place = region();
  const last = all("#log-lines tr[id^=line-]").at(-1) ?? null;
  const page = await fetched(last ? placed({ after: numberOf(last) }) : location.href).catch(() => null);
  if (!page) return;
  if (!page.querySelector("#log-facts[data-running]")) clearInterval(following);
  const rows = all("#log-lines > tr", page).filter((row) => !row.id || !document.getElementById(row.id)); // the end may be told missing again
  if (!rows.length) return;
  if (!last || !place) { location.reload(); return; }
  const atEnd = place.scrollHeight - place.scrollTop - place.clientHeight < 40;
  extend("next", rows);
  takeSums(page);
  setWay("next", /** @type {HTMLAnchorElement | null} */ (one('#log-ways a[rel="next"]', page))?.href);
  if (atEnd) place.scrollTop = place.scrollHeight;
}
const following = one("#log-facts[data-running]") ? window.setInterval(follow, EVERY_MS) : 0;

/** Go to the next line of a kind, fetching what lies behind the window as long as none is found. @param {string} selector @param {string} what */
async function next(selector, what) {
  const from = one(".log tr:focus") ?? one(".log tr:target") ?? (document.activeElement?.closest(".log tr") ?? null);
  for (let parts = 0; parts <= MOST_PARTS; parts += 1) {
    const rows = all(".log tr[id^=line-]").filter((row) => row.matches(selector) || row.querySelector(selector));
    const row = from?.isConnected ? rows.find((each) => from.compareDocumentPosition(each) & Node.DOCUMENT_POSITION_FOLLOWING) : rows[0];
    if (row) {
      row.focus({ preventScroll: true });
      row.scrollIntoView({ block: "center" });
      history.replaceState(history.state, "", `#${row.id}`);
      return;
    }
    if (!(await load("next"))) break;
  }
  toast(`No further ${what}`, "info");
}

document.addEventListener("click", (event) => {
  const button = hit(event, "[data-wrap]");
  if (button) button.setAttribute("aria-pressed", String(one(".log")?.classList.toggle("wrap") ?? false));
});
document.addEventListener("change", (event) => {
  const box = hit(event, ".log-tools input[type=checkbox]");
  if (box instanceof HTMLInputElement) box.form?.requestSubmit();
});
document.addEventListener("keydown", (event) => {
  if (!isCommand(event) || one("dialog[open]")) return;
  if (event.key === "n") void next("mark", "match");
  if (event.key === "e") void next("tr.error", "error");
  if (event.key === "l") {
    const row = document.activeElement?.closest(".log tr[id^=line-]") ?? one(".log tr:target");
    const link = row?.querySelector("a");
    if (link) void copyText(link.href, "Link to the line");
  }
});
