/** Lists: clean addresses, filtering while typing, edges that show what is under them; the filter sheet of phones for browsers without `command`. */
import { all, hit, one } from "./dom.js";

let waiting = 0;
/** What the box that somebody stands in held when the form was sent, and whether an answer has come. */
let sent = { name: "", value: "", answered: false };

/**
 * Leave empty boxes out of the address, but for those with a default filter: there an empty one means "all". What was not
 * typed anew goes into it as it stands there, in slugs; whoever sends words is led there by the server.
 */
document.addEventListener("formdata", (event) => {
  const form = /** @type {HTMLFormElement} */ (event.target);
  if (!form.matches("#view, .sheet-form")) return;
  const kept = (form.dataset.keep ?? "").split(" ");
  for (const [name, value] of [...event.formData.entries()]) if (value === "" && !kept.includes(name)) event.formData.delete(name);
  for (const box of form.elements) {
    if (box instanceof HTMLInputElement && box.dataset.asked && box.value === box.defaultValue) event.formData.set(box.name, box.dataset.asked);
  }
});

/** @param {number} delay in milliseconds */
function submitSoon(delay) {
  clearTimeout(waiting);
  waiting = window.setTimeout(() => /** @type {HTMLFormElement | null} */ (one("#view"))?.requestSubmit(), delay);
}

/** Only what can be understood already is sent while typing: half a comparison or range waits for Enter. */
const UNFINISHED = /^(not:?|eq:?|has:?\w*|[<>]=?|.*\.\.?|-|\d{4}-?\d{0,2}-?\d?)$/;

document.addEventListener("input", (event) => {
  const box = hit(event, ".box input");
  if (!(box instanceof HTMLInputElement) || box.closest(".log-tools")) return;
  const value = box.value.trim();
  if (box.dataset.choices && value !== "" && !value.startsWith("not:")) return;
  if (!UNFINISHED.test(value)) submitSoon(600);
});
document.addEventListener("change", (event) => {
  const box = hit(event, ".grid .box input");
  if (!(box instanceof HTMLInputElement)) return;
  if (box.value !== box.defaultValue && !isSent(box)) submitSoon(30); // while typing it may have been sent already
});
document.addEventListener("submit", () => {
  clearTimeout(waiting);
  const box = document.activeElement;
  sent = box instanceof HTMLInputElement ? { name: box.name, value: box.value, answered: false } : { name: "", value: "", answered: false };
}, true);
document.addEventListener("htmx:after:swap", () => { sent.answered = true; });
/** @param {HTMLInputElement} box */
function isSent(box) { return box.name === sent.name && box.value === sent.value; }
/** Nothing changes under who types; a box that is left says it in the words of the answer. */
document.addEventListener("focusout", (event) => {
  const box = hit(event, ".grid .box input");
  if (box instanceof HTMLInputElement && sent.answered && isSent(box)) box.value = box.defaultValue;
});

/** Lines and shadows of sticky columns only while something is under them. @param {HTMLElement} region */
function edges(region) {
  region.toggleAttribute("data-left", region.scrollLeft > 0);
  region.toggleAttribute("data-right", region.scrollLeft + region.clientWidth < region.scrollWidth - 1);
}
document.addEventListener("scroll", (event) => { if (event.target instanceof HTMLElement && event.target.matches(".scroll")) edges(event.target); }, true);
function everyEdge() { all(".scroll").forEach(edges); }
addEventListener("resize", everyEdge);
document.addEventListener("htmx:after:swap", everyEdge);
everyEdge();

document.addEventListener("click", (event) => {
  const sheet = /** @type {HTMLDialogElement | null} */ (one("#filters"));
  if (hit(event, "[data-filters]") && !("command" in HTMLButtonElement.prototype)) sheet?.showModal();
  if (event.target === sheet) sheet?.close();
  const sort = hit(event, "a[data-sort]");
  if (sort instanceof HTMLAnchorElement && event.shiftKey) {
    event.preventDefault();
    const asked = new URL(sort.href);
    const added = asked.searchParams.get("sort") || sort.dataset.sort || "";
    const keys = (sort.closest("table")?.dataset.order ?? "").split(",");
    const at = keys.findIndex((key) => key.replace("-", "") === added.replace("-", ""));
    if (at < 0) keys.push(added); else keys[at] = added;
    asked.searchParams.set("sort", keys.join(","));
    location.href = asked.href;
  }
  for (const menu of all("details.menu[open]")) if (!menu.contains(/** @type {Node} */ (event.target))) menu.removeAttribute("open");
});
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  const menu = one("details.menu[open]");
  if (menu) { menu.removeAttribute("open"); one("summary", menu)?.focus(); event.stopPropagation(); }
});
