/**
 * Live refresh that never moves a row: what is in view changes in place and gets a dot, what is new is counted in a
 * pill, what no longer matches turns grey. Nothing changes under the pointer, the focus, a selection or an open menu.
 */
import { all, icon, make, one, typing, zoned } from "./dom.js";
import { areOtherwise, becomeLike } from "./names.js";
import { say } from "./say.js";
import { tipOpen } from "./tips.js";

const EVERY_MS = Number(document.body.dataset.every ?? 5000);
const DOT_MS = 10000;
const SPEAK_MS = 30000;
const SILENT_MS = 10000;
const BANNER_MS = 60000;

/** What the server last sent for a row or part, by its id. @type {Map<string, string>} */
const known = new Map();
let spoken = 0;
let asking = false;
let missedAt = 0;
let shownAsOf = one("#fresh span")?.textContent ?? "";
let asks = 0;

function remember() {
  known.clear();
  for (const row of all("#rows > tr, [data-live-part]")) known.set(row.id, row.innerHTML);
}

/** @param {Element} element */
function held(element) {
  if (element.matches(":hover") || element.contains(document.activeElement) || element.matches(".chosen")) return true;
  const selection = getSelection();
  return !!selection && !selection.isCollapsed && selection.containsNode(element, true);
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
  if (!unseen) { place.replaceChildren(); return; }
  const pill = make("button", { type: "button", class: "pill", "data-show-new": "" }, icon("arrow-up"), `${unseen} new · show`);
  pill.addEventListener("click", () => showNew(page));
  place.replaceChildren(pill);
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

/** Names were masked or shown meanwhile: all of a list comes anew, and one stays where one is. @param {Document} page */
function showNames(page) {
  if (!one("#list")) { location.reload(); return; }
  const row = document.activeElement?.closest("#rows > tr")?.id;
  const top = one(".scroll")?.scrollTop ?? 0;
  becomeLike(page);
  showNew(page);
  one(".scroll")?.scrollTo({ top });
  if (row) one(`#${row} [data-job]`)?.focus({ preventScroll: true });
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
  const pill = make("button", { type: "button", class: "pill", "data-show-new": "" }, icon("arrow-up"), `${unseen} new · show`);
  pill.addEventListener("click", () => { place.replaceChildren(); replacePart(part, fresh); });
  place.replaceChildren(pill);
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
  for (const id of ["fresh", "banner"]) {
    const [now, fresh] = [document.getElementById(id), page.getElementById(id)];
    if (now && fresh && now.outerHTML !== fresh.outerHTML) now.replaceWith(fresh);
  }
  for (const part of [".matches", ".counts-end", ".list .foot > span:first-child", ".subtabs"]) {
    const [now, fresh] = [one(part), one(part, page)];
    if (now && fresh && now.innerHTML !== fresh.innerHTML && !held(now)) now.innerHTML = fresh.innerHTML;
  }
  const counts = all(".counts button b", page);
  all(".counts button b").forEach((number, index) => { number.textContent = counts[index]?.textContent ?? number.textContent; });
}

/** The page as it is now; null where no answer comes, or the one to sign in first. @param {string} address */
async function read(address) {
  try {
    const answer = await fetch(zoned(address), { headers: { "Syncwatch-Part": "live" } });
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    if (!answer.ok) { tellSilence("Syncwatch cannot answer now:"); return null; }
    if (one("#fresh", page)) return page;
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
  if (words) words.textContent = mark;
  if (title) one("#banner")?.replaceChildren(make("div", { class: "banner", role: "status" }, icon("warning"), make("p", {}, make("b", {}, title), ` ${text}`), make("a", { href }, word)));
}

/** Say how long no answer has come since one was first missed: from 10 s on in the mark, from a minute on in a banner. @param {string} title */
function tellSilence(title) {
  missedAt ||= Date.now();
  const passed = Date.now() - missedAt;
  if (passed < SILENT_MS) return;
  warn(`no answer for ${Math.round(passed / 1000)} s`, passed < BANNER_MS ? "" : title, `what you see is ${shownAsOf}.`, location.href, "Reload");
}

async function refresh() {
  if (asking || document.hidden || one("details.menu[open], .suggest, dialog[open]") || tipOpen()) return;
  asking = true;
  try {
    const address = location.href;
    const page = await read(address);
    if (!page) return;
    missedAt = 0;
    shownAsOf = one("#fresh span", page)?.textContent ?? "";
    if (address !== location.href) return;
    if (areOtherwise(page)) { if (!typing()) showNames(page); return; }
    const changed = mergeRows(page);
    mergeParts(page);
    if (changed && Date.now() - spoken > SPEAK_MS) {
      spoken = Date.now();
      say(`${changed} ${changed === 1 ? "row" : "rows"} changed`);
    }
  } finally {
    asking = false;
  }
}

if (one("[data-list], [data-live-part]")) {
  remember();
  document.addEventListener("htmx:after:swap", remember);
  asks = window.setInterval(refresh, EVERY_MS);
}
