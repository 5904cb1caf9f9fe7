/** The full text of a shortened cell: on hover and on keyboard focus, selectable, closed by Escape. */
import { hit, make, one } from "./dom.js";

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

/** @param {HTMLElement} cell */
function isCut(cell) {
  return cell.scrollWidth > cell.clientWidth + 1 || cell.scrollHeight > cell.clientHeight + 1 || cell.dataset.full !== "";
}

/** @param {HTMLElement} cell */
function show(cell) {
  clearTimeout(closing);
  if (open?.from === cell || !isCut(cell)) return;
  close();
  const tip = make("div", { class: cell.classList.contains("mono") ? "tip mono" : "tip", role: "tooltip", id: "tip" }, cell.dataset.full || cell.textContent || "");
  tip.addEventListener("mouseenter", () => clearTimeout(closing));
  tip.addEventListener("mouseleave", closeSoon);
  (cell.closest("dialog") ?? document.body).append(tip);
  const box = cell.getBoundingClientRect();
  const left = Math.min(box.left, innerWidth - tip.offsetWidth - 16);
  const below = box.bottom + 4 + tip.offsetHeight < innerHeight;
  tip.style.left = `${Math.max(8, left)}px`;
  tip.style.top = `${below ? box.bottom + 4 : Math.max(8, box.top - tip.offsetHeight - 4)}px`;
  cell.setAttribute("aria-describedby", "tip");
  open = { from: cell, tip };
}

/** True while a text is open: live rows wait for it. */
export function tipOpen() {
  return open !== null;
}

document.addEventListener("mouseover", (event) => { const cell = hit(event, "[data-full]"); if (cell) show(cell); });
document.addEventListener("mouseout", (event) => { if (hit(event, "[data-full]") && open?.from !== document.activeElement) closeSoon(); });
document.addEventListener("focusin", (event) => { const cell = hit(event, "[data-full]"); if (cell) show(cell); });
document.addEventListener("focusout", (event) => { if (hit(event, "[data-full]")) closeSoon(); });
document.addEventListener("keydown", (event) => { if (event.key === "Escape" && open) { event.stopPropagation(); close(); } }, true);
document.addEventListener("scroll", (event) => { if (open && !open.tip.contains(/** @type {Node} */ (event.target)) && one("#tip")) close(); }, true);
