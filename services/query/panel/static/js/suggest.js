/** What a closed list allows, under its search box, with the meaning of the operators. Typing is always allowed. */
import { hit, make, one } from "./dom.js";

const HINTS = /** @type {Record<string, string>} */ ({
  closed: "a, b: either of them\nnot:a: the others",
  number: ">=5   5..9   ..9\nhas:empty   not:has:empty",
  time: "2026-11-01   2026-11-01..2026-11-08\n2026-11-01..: since then",
  boolean: "True or False",
});
/** @type {{box: HTMLInputElement, menu: HTMLElement} | null} */
let open = null;

function close() {
  open?.menu.remove();
  open = null;
}

/** @param {number} days before today */
function since(days) {
  const at = new Date(Date.now() - days * 86400000);
  return `${at.getFullYear()}-${String(at.getMonth() + 1).padStart(2, "0")}-${String(at.getDate()).padStart(2, "0")}..`;
}

/** @param {HTMLInputElement} box @returns {[string, string][]} words and what is put into the box */
function offers(box) {
  if (box.dataset.choices) return box.dataset.choices.split("|").map((word) => [word, word]);
  if (box.dataset.kind === "time") return [["today", since(0)], ["since yesterday", since(1)], ["last 7 days", since(6)], ["last 30 days", since(29)]];
  return [];
}

/** @param {HTMLInputElement} box */
function show(box) {
  close();
  const typed = box.value.toLowerCase().split(",").pop()?.trim().replace(/^not:/, "") ?? "";
  const fitting = offers(box).filter(([word, value]) => !typed || word.toLowerCase().includes(typed) || value === box.value);
  if (!fitting.length) return;
  const menu = make("div", { class: "suggest", role: "group", "aria-label": "Suggestions" });
  for (const [word, value] of fitting) {
    const button = make("button", { type: "button", tabindex: "-1" }, word);
    button.addEventListener("mousedown", (event) => { event.preventDefault(); choose(box, value); });
    button.dataset.value = value;
    menu.append(button);
  }
  const hint = HINTS[box.dataset.choices ? (box.dataset.kind === "boolean" ? "boolean" : "closed") : box.dataset.kind ?? ""];
  if (hint) menu.append(make("p", {}, hint));
  (box.closest("section") ?? document.body).append(menu);
  const at = box.getBoundingClientRect();
  menu.style.left = `${Math.max(8, Math.min(at.left - 24, innerWidth - menu.offsetWidth - 8))}px`;
  menu.style.top = `${at.bottom + 4}px`;
  open = { box, menu };
}

/** @param {HTMLInputElement} box @param {string} value */
function choose(box, value) {
  box.value = value;
  close();
  box.dispatchEvent(new Event("change", { bubbles: true }));
}

/** @param {number} by */
function pick(by) {
  if (!open) return;
  const buttons = [...open.menu.querySelectorAll("button")];
  const at = buttons.findIndex((button) => button.ariaSelected === "true");
  buttons[at]?.removeAttribute("aria-selected");
  buttons[(at + by + buttons.length) % buttons.length]?.setAttribute("aria-selected", "true");
}

document.addEventListener("focusin", (event) => { const box = hit(event, ".grid .box input"); if (box instanceof HTMLInputElement) show(box); else close(); });
document.addEventListener("input", (event) => { const box = hit(event, ".grid .box input"); if (box instanceof HTMLInputElement) show(box); });
document.addEventListener("focusout", (event) => { if (hit(event, ".grid .box input")) close(); });
document.addEventListener("scroll", close, true);
document.addEventListener("keydown", (event) => {
  if (!open) return;
  if (event.key === "ArrowDown" || event.key === "ArrowUp") { event.preventDefault(); pick(event.key === "ArrowDown" ? 1 : -1); }
  const picked = /** @type {HTMLElement | null} */ (one('[aria-selected="true"]', open.menu));
  if (event.key === "Enter" && picked) { event.preventDefault(); choose(open.box, picked.dataset.value ?? ""); }
  else if (event.key === "Escape") { event.stopPropagation(); close(); }
}, true);
