/** What a closed list allows, under its search box, with the meaning of the operators. Typing is always allowed. */
import { hit, icon, make, one, zoned } from "./dom.js";

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
  for (const name of ["role", "aria-expanded", "aria-controls", "aria-autocomplete", "aria-activedescendant"]) open?.box.removeAttribute(name);
  open = null;
}

const FRESH_MS = 15000;
/** What the server counted for a box, by address: words and how many rows each would leave. @type {Map<string, {at: number, counts: Promise<Record<string, string>>}>} */
const asked = new Map();

/** @param {HTMLInputElement} box @returns {Promise<Record<string, string>>} */
function countsOf(box) {
  const params = new URLSearchParams(location.search);
  params.delete("cursor");
  params.set("counts", box.name);
  const address = `${location.pathname}?${params}`;
  const known = asked.get(address);
  if (known && Date.now() - known.at < FRESH_MS) return known.counts;
  const counts = fetch(zoned(address)).then((answer) => answer.ok ? answer.json() : {}).catch(() => ({}));
  asked.set(address, { at: Date.now(), counts });
  return counts;
}

/** Put the counts beside the words once they come. @param {HTMLInputElement} box @param {HTMLElement} menu */
async function count(box, menu) {
  const counts = await countsOf(box);
  for (const button of menu.querySelectorAll("button")) {
    const number = counts[button.dataset.value ?? ""];
    if (number !== undefined) button.append(make("span", { class: "n" }, number));
  }
}

/** @param {number} days before today, as the page counts days */
function since(days) {
  const today = new Intl.DateTimeFormat("sv-SE", { timeZone: document.body.dataset.zone || undefined }).format(); // 2026-11-01
  return `${new Date(Date.parse(today) - days * 86400000).toISOString().slice(0, 10)}..`;
}

/** @param {HTMLInputElement} box @returns {[string, string, string?][]} words, what is put into the box, and of a status its slug and icon */
function offers(box) {
  const statuses = box.dataset.statuses?.split("|") ?? [];
  if (box.dataset.choices) return box.dataset.choices.split("|").map((word, index) => [word, word, statuses[index]]);
  if (box.dataset.kind === "time") return [["today", since(0)], ["since yesterday", since(1)], ["last 7 days", since(6)], ["last 30 days", since(29)]];
  return [];
}

/** A status as rows show it: its icon and its word. @param {string} word @param {string} status slug:icon */
function drawn(word, status) {
  const [slug = "", name = ""] = status.split(":");
  return make("span", { class: `st s-${slug}` }, icon(name), word);
}

/**
 * Whoever comes to a box sees all it allows; whoever types, what fits the part behind the last comma, and keeps those
 * before it. @param {HTMLInputElement} box @param {boolean} typing
 */
function show(box, typing) {
  close();
  const parts = typing ? box.value.split(",") : [];
  const last = parts.pop()?.trim().toLowerCase() ?? "";
  const typed = last.replace(/^not:/, "").replaceAll("_", " ");
  const kept = parts.length ? `${parts.join(",")}, ` : last.startsWith("not:") ? "not:" : "";
  const fitting = offers(box).filter(([word, value]) => !typed || word.toLowerCase().includes(typed) || value === box.value);
  if (!fitting.length) return;
  const list = make("div", { role: "listbox", id: "suggestions", "aria-label": "Suggestions" });
  const menu = make("div", { class: "suggest" }, list);
  for (const [index, [word, value, status]] of fitting.entries()) {
    const button = make("button", { type: "button", tabindex: "-1", role: "option", id: `suggestion-${index}`, "aria-selected": "false" }, status ? drawn(word, status) : word);
    button.addEventListener("mousedown", (event) => { event.preventDefault(); choose(box, kept + value); });
    button.dataset.value = value;
    button.dataset.whole = kept + value;
    list.append(button);
  }
  const hint = HINTS[box.dataset.choices ? (box.dataset.kind === "boolean" ? "boolean" : "closed") : box.dataset.kind ?? ""];
  if (hint) menu.append(make("p", {}, hint));
  (box.closest("section") ?? document.body).append(menu);
  const at = box.getBoundingClientRect();
  menu.style.left = `${Math.max(8, Math.min(at.left - 24, innerWidth - menu.offsetWidth - 8))}px`;
  menu.style.top = `${at.bottom + 4}px`;
  for (const [name, value] of Object.entries({ role: "combobox", "aria-expanded": "true", "aria-controls": "suggestions", "aria-autocomplete": "list" })) box.setAttribute(name, value);
  open = { box, menu };
  if (box.dataset.choices) void count(box, menu);
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
  const next = buttons[at < 0 && by < 0 ? buttons.length - 1 : (at + by + buttons.length) % buttons.length];
  buttons[at]?.setAttribute("aria-selected", "false");
  next?.setAttribute("aria-selected", "true");
  next?.scrollIntoView({ block: "nearest" });
  if (next) open.box.setAttribute("aria-activedescendant", next.id);
}

document.addEventListener("focusin", (event) => { const box = hit(event, ".grid .box input"); if (box instanceof HTMLInputElement) show(box, false); else close(); });
document.addEventListener("input", (event) => { const box = hit(event, ".grid .box input"); if (box instanceof HTMLInputElement) show(box, true); });
document.addEventListener("focusout", (event) => { if (hit(event, ".grid .box input")) close(); });
document.addEventListener("scroll", (event) => {
  const moved = /** @type {Node} */ (event.target);
  if (moved instanceof HTMLInputElement || open?.menu.contains(moved)) return; // a box scrolls a text that is longer than it
  close();
}, true);
document.addEventListener("keydown", (event) => {
  if (!open) return;
  if (event.key === "ArrowDown" || event.key === "ArrowUp") { event.preventDefault(); pick(event.key === "ArrowDown" ? 1 : -1); }
  const picked = /** @type {HTMLElement | null} */ (one('[aria-selected="true"]', open.menu));
  if (event.key === "Enter" && picked) { event.preventDefault(); choose(open.box, picked.dataset.whole ?? ""); }
  else if (event.key === "Escape") { event.stopPropagation(); close(); }
}, true);
