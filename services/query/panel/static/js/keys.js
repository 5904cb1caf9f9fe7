/** The keyboard: single letters outside text boxes, which can be switched off. */
import { all, hit, one, typing } from "./dom.js";
import { copyText } from "./copy.js";
import { step } from "./job.js";

const OFF = "syncwatch-letters-off";
const help = /** @type {HTMLDialogElement | null} */ (one("#help"));
const letters = /** @type {HTMLInputElement | null} */ (one("#letters"));
if (letters) {
  letters.checked = localStorage.getItem(OFF) === null;
  letters.addEventListener("change", () => letters.checked ? localStorage.removeItem(OFF) : localStorage.setItem(OFF, "1"));
}
let going = 0;

function row() {
  return /** @type {HTMLElement | null} */ (document.activeElement?.closest("#rows > tr") ?? null);
}

/** @param {number} by */
function move(by) {
  const rows = all("#rows > tr, .log tr[id]");
  const at = rows.indexOf(row() ?? document.body);
  rows[Math.min(rows.length - 1, Math.max(0, at + by))]?.focus();
}

/** @param {string} selector @param {HTMLElement | null} [under] */
function press(selector, under) {
  one(selector, under ?? document)?.click();
}

/** @type {Record<string, () => void>} */
const KEYS = {
  "/": () => one("#find")?.focus(),
  "?": () => help?.showModal(),
  j: () => move(1),
  k: () => move(-1),
  i: () => press("[data-job]", row()),
  d: () => press("[data-download]", row() ?? one("dialog[open]")),
  f: () => one(".grid .box input")?.focus(),
  m: () => press("#columns-menu > summary"),
  e: () => press("[data-export]"),
  r: () => press("[data-show-new]"),
  c: () => { const cell = row() && one("td [data-copy], th", row() ?? undefined); if (cell?.matches("[data-copy]")) cell.click(); else if (cell) void copyText(cell.textContent?.trim() ?? "", "Cell"); },
  "[": () => step(-1),
  "]": () => step(1),
};

document.addEventListener("click", (event) => { if (hit(event, "[data-help]")) help?.showModal(); });
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && document.activeElement instanceof HTMLInputElement) document.activeElement.blur();
  if (event.key === "Enter" && row() && document.activeElement === row()) { press("a.name", row()); return; }
  if (typing() || event.ctrlKey || event.metaKey || event.altKey || (letters && !letters.checked)) return;
  if (one("dialog[open]") && !["[", "]", "d"].includes(event.key)) return;
  if (Date.now() - going < 1200) {
    going = 0;
    const link = one(`[data-go="${CSS.escape(event.key)}"]`);
    if (link) { event.preventDefault(); link.click(); return; }
  }
  if (event.key === "g") { going = Date.now(); return; }
  const act = KEYS[event.key];
  if (act) { event.preventDefault(); act(); }
});
