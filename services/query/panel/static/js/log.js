/** The log viewer: next match, next error, link to a line, wrapped lines, following a session that runs. */
import { all, hit, one, typing } from "./dom.js";
import { copyText } from "./copy.js";

const wrap = one("[data-wrap]");
if (wrap) wrap.hidden = false;

/** @param {string} selector */
function next(selector) {
  const rows = all(".log tr").filter((row) => row.matches(selector) || row.querySelector(selector));
  const from = one(".log tr:target") ?? (document.activeElement?.closest(".log tr") ?? null);
  const after = from ? rows.find((row) => from.compareDocumentPosition(row) & Node.DOCUMENT_POSITION_FOLLOWING) : rows[0];
  const row = after ?? rows[0];
  if (!row) return;
  row.focus();
  row.scrollIntoView({ block: "center" });
  if (row.id) history.replaceState(history.state, "", `#${row.id}`);
}

document.addEventListener("click", (event) => {
  const button = hit(event, "[data-wrap]");
  if (button) button.setAttribute("aria-pressed", String(one(".log")?.classList.toggle("wrap") ?? false));
});
document.addEventListener("change", (event) => {
  const box = hit(event, ".log-tools input[type=checkbox]");
  if (box instanceof HTMLInputElement) box.form?.requestSubmit();
});
document.addEventListener("keydown", (event) => {
  if (typing() || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "n") next("mark");
  if (event.key === "e") next("tr.error");
  if (event.key === "l") {
    const row = document.activeElement?.closest(".log tr[id]") ?? one(".log tr:target");
    const link = row?.querySelector("a");
    if (link) void copyText(link.href, "Link to the line");
  }
});
document.addEventListener("syncwatch:part", () => {
  if (one(".log[data-follow]") && !location.hash) one(".log tr:last-child")?.scrollIntoView({ block: "end" });
});
