/**
 * Job details of a session that runs, kept up to date to its end, also to the last of what it sent: in place where nothing
 * that changes is held and nothing that is held would move, otherwise by a pill. What is shown is of one moment: all of it
 * changes, or nothing does. Asked for only where a session runs.
 */
import { all, make, makePill, one, zoned } from "./dom.js";
import { EVERY_MS, SPEAK_MS, asksFor, held } from "./live.js";
import { say } from "./say.js";
import { tipOpen } from "./tips.js";

const SCROLLED = ".wrap-x, .log, .trace";
let spoken = 0;

/** @param {HTMLElement} body */
const pieces = (body) => all(":scope > *", body);

/** @param {HTMLElement} piece */
const nameOf = (piece) => piece.getAttribute("aria-labelledby") ?? piece.className;

/** @param {HTMLElement} piece */
const isKept = (piece) => held(piece) || !!one("details[open]", piece);

/** What must not move, and where it stands: what is under the pointer, has the focus, or is selected. @param {HTMLElement} body */
function anchors(body) {
  const selection = getSelection();
  const selected = selection && !selection.isCollapsed ? selection.getRangeAt(0).startContainer : null;
  const of = [all(":hover", body).at(-1), document.activeElement, selected instanceof Element ? selected : selected?.parentElement];
  return of.flatMap((each) => (each && each !== body && body.contains(each) ? [{ each, top: each.getBoundingClientRect().top }] : []));
}

/** Put a piece in the place of another; what is scrolled in it stays so. @param {HTMLElement} now @param {HTMLElement} next */
function change(now, next) {
  const places = all(SCROLLED, now).map((each) => [each.scrollLeft, each.scrollTop]);
  now.replaceWith(next);
  all(SCROLLED, next).forEach((each, index) => { const [left = 0, top = 0] = places[index] ?? []; each.scrollTo(left, top); });
}

/** Bring what is shown up to date, all of it or nothing, so that it is of one moment; whether it is. @param {HTMLElement} body @param {HTMLElement} fresh @param {Map<string, string>} sent @param {boolean} asked whether somebody asked for it: then nothing is held */
function merge(body, fresh, sent, asked = false) {
  const next = pieces(fresh);
  const anew = next.filter((piece) => sent.get(nameOf(piece)) !== piece.innerHTML);
  const names = new Set(next.map(nameOf));
  const gone = pieces(body).filter((now) => !names.has(nameOf(now)));
  if (!anew.length && !gone.length) return true;
  /** @param {HTMLElement} piece */
  const shown = (piece) => pieces(body).find((each) => nameOf(each) === nameOf(piece)) ?? null;
  if (!asked && [...gone, ...anew.map(shown)].some((now) => now && isKept(now))) return false;
  const before = anchors(body);
  /** @type {(() => void)[]} */
  const undo = [];
  for (const now of gone) {
    const behind = now.nextSibling;
    now.remove();
    undo.unshift(() => body.insertBefore(now, behind));
  }
  for (const piece of anew) {
    const now = shown(piece);
    const copy = /** @type {HTMLElement} */ (document.importNode(piece, true));
    const behind = next.slice(next.indexOf(piece) + 1).flatMap((each) => shown(each) ?? [])[0] ?? null;
    if (now) change(now, copy); else body.insertBefore(copy, behind);
    undo.unshift(() => { if (now) change(copy, now); else copy.remove(); });
  }
  if (!asked && before.some(({ each, top }) => Math.abs(each.getBoundingClientRect().top - top) >= 1)) {
    undo.forEach((back) => back());
    return false;
  }
  for (const piece of anew) sent.set(nameOf(piece), piece.innerHTML);
  for (const now of gone) sent.delete(nameOf(now));
  if (Date.now() - spoken > SPEAK_MS) { spoken = Date.now(); say("Job details changed"); }
  return true;
}

/** The pill lies over the details, in nobody's room. @param {HTMLElement} place @param {() => void} show */
function showPill(place, show) {
  if (!one(".job-pill", place)) place.prepend(make("div", { class: "job-pill" }, makePill("Changed · show", show, "pulse")));
}

/** The details as they are now; null where none came. @param {HTMLElement} root @param {string} address */
async function read(root, address) {
  const part = root.matches("dialog") ? "job" : "standing";
  const answer = await fetch(zoned(address), { headers: asksFor(part) }).catch(() => null);
  return answer?.ok ? new DOMParser().parseFromString(await answer.text(), "text/html") : null;
}

/** Keep job details up to date until all of the session has come and is shown, or others take their place. @param {HTMLElement} root the dialog, or the block of a page @param {HTMLElement} body of these details @param {string} address */
export function keepUp(root, body, address) {
  const place = body.parentElement;
  if (!place || !body.isConnected) return;
  const sent = new Map(pieces(body).map((piece) => [nameOf(piece), piece.innerHTML]));
  let latest = body;
  let coming = true;
  let asking = false;

  const show = () => {
    merge(body, latest, sent, true);
    one(".job-pill", place)?.remove();
    (root.matches("dialog") ? place : one("main"))?.focus({ preventScroll: true });
  };
  const look = async () => {
    if (!body.isConnected || root.matches("dialog:not([open])")) { clearInterval(asks); return; }
    if (asking || document.hidden || tipOpen()) return;
    asking = true;
    const page = coming ? await read(root, address).catch(() => null) : null;
    asking = false;
    const fresh = page && one(".job-body", page);
    if (page && !fresh) { clearInterval(asks); return; } // signed out, and told so by the page
    if (fresh) {
      latest = fresh;
      coming = "coming" in fresh.dataset;
      const ticket = '[data-what="Text for the ticket"]';
      one(ticket, root)?.setAttribute("data-copy", one(ticket, page)?.dataset.copy ?? "");
    }
    if (!body.isConnected || latest === body || tipOpen() || one(".job-pill:is(:hover, :focus-within)", place)) return;
    if (!merge(body, latest, sent)) { showPill(place, show); return; }
    one(".job-pill", place)?.remove();
    if (!coming) clearInterval(asks);
  };
  const asks = window.setInterval(look, EVERY_MS);
}
