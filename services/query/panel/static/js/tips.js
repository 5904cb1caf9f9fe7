/**
 * The full text of a shortened cell, and what a title explains: on hover, touch and keyboard focus, selectable, closed by
 * Escape.
 */
import { all, hit, make } from "./dom.js";

/** @type {{from: HTMLElement, tip: HTMLElement} | null} */
let open = null;
let closing = 0;

function close() {
  open?.tip.remove();
  open?.from.removeAttribute("aria-describedby");
  open = null;
}

function closeSoon() {
  clearTimeout(closing);
  closing = window.setTimeout(close, 200);
}

/** A cell may hold several lines, each cut by itself. @param {HTMLElement} cell */
function isCut(cell) {
  const over = (/** @type {HTMLElement} */ each) => each.scrollWidth > each.clientWidth + 1 || each.scrollHeight > each.clientHeight + 1;
  return cell.dataset.full !== "" || [cell, ...all(".line, .sub", cell)].some(over);
}

/** @param {HTMLElement} cell */
function textOf(cell) {
  const lines = all(".line, .sub", cell);
  return cell.dataset.full || (lines.length ? lines.map((line) => line.textContent).join("\n") : cell.textContent) || "";
}

/** @param {HTMLElement} cell */
function show(cell) {
  clearTimeout(closing);
  if (cell.title) { // which is there for those without a script
    cell.dataset.full = cell.title;
    cell.removeAttribute("title");
  }
  if (open?.from === cell || !isCut(cell)) return;
  close();
  const tip = make("div", { class: cell.classList.contains("mono") ? "tip mono" : "tip", role: "tooltip", id: "tip" }, textOf(cell));
  tip.addEventListener("mouseenter", () => clearTimeout(closing));
  tip.addEventListener("mouseleave", closeSoon);
  (cell.closest("dialog, main") ?? document.body).append(tip); // within a landmark, as all that can be read
  place(cell, tip);
  cell.setAttribute("aria-describedby", "tip");
  open = { from: cell, tip };
}

/** Put the text under its cell, or over it where there is no room. @param {HTMLElement} cell @param {HTMLElement} tip */
function place(cell, tip) {
  const box = cell.getBoundingClientRect();
  const left = Math.min(box.left, innerWidth - tip.offsetWidth - 16);
  const below = box.bottom + 4 + tip.offsetHeight < innerHeight;
  tip.style.left = `${Math.max(8, left)}px`;
  tip.style.top = `${below ? box.bottom + 4 : Math.max(8, box.top - tip.offsetHeight - 4)}px`;
}

/** The text of the focused cell follows it: the focus itself may have scrolled there. @param {Event} event */
function scrolled(event) {
  if (!open || open.tip.contains(/** @type {Node} */ (event.target))) return;
  if (open.from.contains(document.activeElement)) place(open.from, open.tip);
  else close();
}

/** Whether a text is open, of any cell or of one within an element: that waits with its changes. @param {Element} [within] */
export function tipOpen(within) {
  return open !== null && (!within || within.contains(open.from));
}

document.addEventListener("mouseover", (event) => { const cell = hit(event, "[data-full]"); if (cell) show(cell); });
document.addEventListener("mouseout", (event) => { if (hit(event, "[data-full]") && !open?.from.contains(document.activeElement)) closeSoon(); });
document.addEventListener("focusin", (event) => { const cell = hit(event, "[data-full]"); if (cell) show(cell); });
document.addEventListener("focusout", (event) => { if (hit(event, "[data-full]")) closeSoon(); });
document.addEventListener("keydown", (event) => { if (event.key === "Escape" && open) { event.stopPropagation(); close(); } }, true);
document.addEventListener("scroll", scrolled, true);
