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

const ROW = "#rows > tr";
const LINE = ".log tr[id^=line-]";

/** What has the focus, or holds it. @param {string} selector */
function focused(selector) {
  return /** @type {HTMLElement | null} */ (document.activeElement?.closest(selector) ?? null);
}

const row = () => focused(ROW);

/** @param {number} by */
function move(by) {
  const rows = all(`${ROW}, ${LINE}`);
  const at = rows.indexOf(focused(`${ROW}, ${LINE}`) ?? document.body);
  rows[Math.min(rows.length - 1, Math.max(0, at + by))]?.focus();
}

/** @param {string} selector @param {HTMLElement | null} [under] */
function press(selector, under) {
  one(selector, under ?? document)?.click();
}

/** The ☰ opens with the focus in its search box, and closes with it on itself. */
function columns() {
  const menu = /** @type {HTMLDetailsElement | null} */ (one("#columns-menu"));
  if (!menu) return;
  menu.open = !menu.open;
  one(menu.open ? ".tools input" : "summary", menu)?.focus();
}

/** The focused cell, whole; of a focused row its head, of a log line its message. */
function copyCell() {
  const within = focused(`${ROW}, ${LINE}`);
  const cell = within && (focused("td:not(.acts), th") ?? one("th, .msg", within));
  if (!cell) return;
  const button = one("[data-copy], [data-copy-whole]", cell);
  if (button) { button.click(); return; }
  const whole = focused("[data-full]")?.dataset.full;
  void copyText(whole || cell.innerText.trim().replace(/\s*\n\s*/g, " "), "Cell");
}

/** Job details in the dialog step through the rows; as a page of their own, through the user's sessions. @param {number} by */
function stepJob(by) {
  if (one(".job-page")) press(`.job-page a[rel="${by < 0 ? "prev" : "next"}"]`);
  else step(by);
}

/** Whether a key is a command: not while somebody types, nor with single letters switched off. @param {KeyboardEvent} event */
export function isCommand(event) {
  return !(typing() || event.ctrlKey || event.metaKey || event.altKey || (letters && !letters.checked));
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
  m: columns,
  e: () => press("[data-export]"),
  r: () => press("[data-show-new]", one("dialog[open]")),
  c: copyCell,
  "[": () => stepJob(-1),
  "]": () => stepJob(1),
};

document.addEventListener("click", (event) => { if (hit(event, "[data-help]")) help?.showModal(); });
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && document.activeElement instanceof HTMLInputElement) document.activeElement.blur();
  if (event.key === "Enter" && row() && document.activeElement === row()) { press("a.name", row()); return; }
  if (!isCommand(event)) return;
  if (one("dialog[open]") && !["[", "]", "d", "r"].includes(event.key)) return;
  if (Date.now() - going < 1200) {
    going = 0;
    const link = one(`[data-go="${CSS.escape(event.key)}"]`);
    if (link) { event.preventDefault(); link.click(); return; }
  }
  if (event.key === "g") { going = Date.now(); return; }
  const act = KEYS[event.key];
  if (act) { event.preventDefault(); act(); }
});
