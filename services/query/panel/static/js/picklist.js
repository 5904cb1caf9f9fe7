/** The picklist of columns: find one, drag or Alt + arrows to move; the order is the order of the boxes sent. */
import { all, hit, one } from "./dom.js";
import { say } from "./say.js";

/** @type {HTMLElement | null} */
let dragged = null;

/** @param {ParentNode} under */
function prepare(under) {
  for (const tools of all("[data-picklist] .tools", under)) tools.hidden = false;
  for (const row of all("[data-picklist] li:not(:first-child)", under)) row.draggable = true;
}

const LEAST_PX = 260;

/** The open menu ends within the window; where too little is left of that, the page scrolls. */
function fit() {
  const menu = one("#columns-menu[open] .picklist");
  if (!menu) return;
  const left = innerHeight - menu.getBoundingClientRect().top - 8;
  menu.style.setProperty("--room", `${Math.max(LEAST_PX, left)}px`);
  if (left < LEAST_PX) menu.scrollIntoView({ block: "nearest" });
}

document.addEventListener("toggle", (event) => { if (hit(event, "#columns-menu")) fit(); }, true);
addEventListener("resize", fit);
document.addEventListener("input", (event) => {
  const search = hit(event, "[data-picklist] .tools input");
  if (!(search instanceof HTMLInputElement)) return;
  const wanted = search.value.trim().toLowerCase();
  for (const row of all("li", search.form ?? document)) row.hidden = !(row.textContent ?? "").toLowerCase().includes(wanted);
});
document.addEventListener("change", (event) => {
  const list = hit(event, "[data-picklist]");
  const count = list && one(".count", list);
  if (list && count) count.textContent = `${all("input[type=checkbox]:checked", list).length} of ${all("li", list).length} columns shown`;
});
document.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && hit(event, "[data-picklist] .tools input")) event.preventDefault(); // it finds, and applies nothing
  const row = hit(event, "[data-picklist] li:not(:first-child)");
  if (!row || !event.altKey || !["ArrowUp", "ArrowDown"].includes(event.key)) return;
  event.preventDefault();
  const other = event.key === "ArrowUp" ? row.previousElementSibling : row.nextElementSibling;
  if (!other || !other.previousElementSibling) return;
  if (event.key === "ArrowUp") other.before(row); else other.after(row);
  one("input", row)?.focus();
  say(`${row.textContent?.trim()} is column ${[...(row.parentElement?.children ?? [])].indexOf(row) + 1}`);
});
document.addEventListener("dragstart", (event) => { dragged = hit(event, "[data-picklist] li[draggable]"); dragged?.setAttribute("data-dragged", ""); });
document.addEventListener("dragover", (event) => {
  const over = hit(event, "[data-picklist] li[draggable]");
  if (!dragged || !over || over === dragged) return;
  event.preventDefault();
  const box = over.getBoundingClientRect();
  if (event.clientY < box.top + box.height / 2) over.before(dragged); else over.after(dragged);
});
document.addEventListener("dragend", () => { dragged?.removeAttribute("data-dragged"); dragged = null; });
document.addEventListener("htmx:after:swap", () => prepare(document));
prepare(document);
