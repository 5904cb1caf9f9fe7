/**
 * Live refresh that never moves a row: what is in view changes in place and gets a dot, what is new is counted in a
 * pill, what no longer matches turns grey. Nothing changes under the pointer, the focus, a selection or an open menu.
 * A page without live parts asks for its freshness alone, as every page does behind a dialog or a menu.
 */
import { all, icon, make, makePill, one, typing, zoned } from "./dom.js";
import { areOtherwise, becomeLike } from "./names.js";
import { say } from "./say.js";
import { tipOpen } from "./tips.js";

export const EVERY_MS = Number(document.body.dataset.every ?? 5000);
export const SPEAK_MS = 30000;
const SILENT_MS = 10000;
const BANNER_MS = 60000;
const UNUSED_MS = 60000;

/** What the server last sent for a part, by its id. @type {Map<string, string>} */
const known = new Map();
let spoken = 0;
let asking = false;
let missedAt = 0;
let shownAsOf = one("#fresh span")?.textContent ?? "";
let asks = 0;
let usedAt = Date.now();
const isLive = !!one("[data-list], [data-live-part]");

for (const use of ["pointermove", "pointerdown", "click", "keydown", "focusin", "wheel"]) addEventListener(use, () => { usedAt = Date.now(); }, { capture: true, passive: true });

/** The headers of what the page asks by itself: after a minute without use that keeps nobody signed in. @param {string} part */
export function asksFor(part) {
  return { "Syncwatch-Part": part, ...(Date.now() - usedAt > UNUSED_MS && { "Syncwatch-Idle": "1" }) };
}

function remember() {
  known.clear();
  for (const part of all("[data-live-part]")) known.set(part.id, part.innerHTML);
}

/** @param {Element} element */
export function held(element) {
  if (element.matches(":hover") || element.contains(document.activeElement) || element.matches(".chosen") || tipOpen(element)) return true;
  const selection = getSelection();
  return !!selection && !selection.isCollapsed && selection.containsNode(element, true);
}

/** What lists do with a page: merge its rows (how many changed), or show all of it anew. @type {{merge: (page: Document) => number, renew: (page: Document) => void} | null} */
let list = null;

/** @param {NonNullable<typeof list>} own */
export function registerList(own) {
  list = own;
}

/** Names were masked or shown meanwhile: a list comes anew in its place, any other page that may hold some is loaded again. @param {Document} page */
function showNames(page) {
  if (list && one("#list")) { becomeLike(page); list.renew(page); return; }
  if (isLive || one('main :is([action="/reveal"], [action="/hide"])')) location.reload(); // an error need not be done again
}

/** @param {HTMLElement} part @param {HTMLElement} fresh */
function replacePart(part, fresh) {
  known.set(part.id, fresh.innerHTML);
  part.replaceChildren(...fresh.childNodes);
  part.dispatchEvent(new CustomEvent("syncwatch:part", { bubbles: true }));
}

/** Rows of a part that orders itself by time are counted like those of a list, not pushed in. @param {HTMLElement} part @param {HTMLElement} fresh */
function countNew(part, fresh) {
  const place = part.dataset.liveNew ? document.getElementById(part.dataset.liveNew) : null;
  if (!place) return false;
  const unseen = [...fresh.children].filter((row) => !document.getElementById(row.id)).length;
  if (!unseen || place.contains(document.activeElement)) return false;
  place.replaceChildren(makePill(`${unseen} new · show`, () => { place.replaceChildren(); replacePart(part, fresh); }));
  return true;
}

/** @param {Document} page */
function mergeParts(page) {
  for (const part of all("[data-live-part]")) {
    const fresh = page.getElementById(part.id);
    if (!fresh || known.get(part.id) === fresh.innerHTML || held(part)) continue;
    if (part.tagName !== fresh.tagName) part.closest("section")?.replaceWith(fresh.closest("section") ?? fresh); // the first row, or none any more
    else if (!countNew(part, fresh)) replacePart(part, fresh);
  }
  for (const part of [".matches", ".counts-end", ".list .foot > span:first-child", ".subtabs"]) {
    const [now, fresh] = [one(part), one(part, page)];
    if (now && fresh && now.innerHTML !== fresh.innerHTML && !held(now)) now.innerHTML = fresh.innerHTML;
  }
  const counts = all(".counts button b", page);
  all(".counts button b").forEach((number, index) => { number.textContent = counts[index]?.textContent ?? number.textContent; });
}

/** Banners without what they say. @param {HTMLElement} banners */
const wordless = (banners) => banners.innerHTML.replace(/<p>.*?<\/p>/gs, "");

/** A banner that stays keeps its link, with a focus that it has: only what it says changes. @param {HTMLElement} fresh */
function showBanners(fresh) {
  const now = one("#banner");
  if (!now) return;
  if (wordless(now) !== wordless(fresh)) { now.replaceChildren(...fresh.childNodes); return; }
  const said = all("p", fresh);
  all("p", now).forEach((words, at) => { const next = said[at]?.innerHTML ?? ""; if (words.innerHTML !== next) words.innerHTML = next; });
}

/** Mark and banner stay where they are. @param {Document} page */
function mergeMark(page) {
  missedAt = 0;
  shownAsOf = one("#fresh span", page)?.textContent ?? "";
  const [now, fresh, banners] = [one("#fresh"), one("#fresh", page), one("#banner", page)];
  if (now && fresh && now.outerHTML !== fresh.outerHTML) {
    for (const { name, value } of fresh.attributes) now.setAttribute(name, value);
    if (now.innerHTML !== fresh.innerHTML) now.innerHTML = fresh.innerHTML;
  }
  if (banners) showBanners(banners);
}

/** The page as it is now, its mark already shown; null where there is nothing to merge: no answer, an error, the page to sign in. @param {string} address */
async function read(address) {
  try {
    const answer = await fetch(zoned(address), { headers: asksFor("live") });
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    if (one("#fresh", page) && answer.status < 500) { mergeMark(page); return answer.ok ? page : null; }
    if (!answer.ok) { tellSilence("Syncwatch cannot answer now:"); return null; }
    clearInterval(asks);
    warn("signed out", "You were signed out:", "what you see is no longer kept up to date.", "/sign-in", "Sign in");
  } catch {
    tellSilence("Syncwatch does not answer:");
  }
  return null;
}

/** What is shown grows old: the mark says so, and a banner. The next answer puts its own in their place. @param {string} mark @param {string} title @param {string} text @param {string} href @param {string} word */
function warn(mark, title, text, href, word) {
  const fresh = one("#fresh");
  fresh?.classList.add("behind");
  const words = fresh && one("span", fresh);
  if (words && words.textContent !== mark) words.textContent = mark;
  if (title) showBanners(make("div", {}, make("div", { class: "banner", role: "status" }, icon("warning"), make("p", {}, make("b", {}, title), ` ${text}`), make("a", { href }, word))));
}

/** Say how long no answer has come since one was first missed: from 10 s on in the mark, from a minute on in a banner. @param {string} title */
function tellSilence(title) {
  missedAt ||= Date.now();
  const passed = Date.now() - missedAt;
  if (passed < SILENT_MS) return;
  warn(`no answer for ${Math.round(passed / 1000)} s`, passed < BANNER_MS ? "" : title, `what you see is ${shownAsOf}.`, location.href, "Reload");
}

async function refresh() {
  if (asking || document.hidden) return;
  const whole = isLive && !one("dialog[open], details.menu[open], .suggest");
  asking = true;
  try {
    const address = location.href;
    const page = await read(whole ? address : "/fresh");
    if (!page || address !== location.href || (isLive && !whole)) return; // behind a dialog or a menu, all else waits
    if (areOtherwise(page)) { if (!typing()) showNames(page); return; }
    if (!isLive) return;
    const changed = list?.merge(page) ?? 0;
    mergeParts(page);
    if (changed && Date.now() - spoken > SPEAK_MS) {
      spoken = Date.now();
      say(`${changed} ${changed === 1 ? "row" : "rows"} changed`);
    }
  } finally {
    asking = false;
  }
}

remember();
document.addEventListener("htmx:after:swap", remember);
asks = window.setInterval(refresh, EVERY_MS);
