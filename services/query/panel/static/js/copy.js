/** Copy buttons: `data-copy` holds the text (empty: the address); `data-copy-whole` says where it is, byte for byte. */
import { hit, icon, one, zoned } from "./dom.js";
import { guarded } from "./formulas.js";
import { toast } from "./say.js";

/** @param {string} text */
async function toClipboard(text) {
  if (navigator.clipboard && window.isSecureContext) {
    await navigator.clipboard.writeText(text);
    return;
  }
  const put = (/** @type {ClipboardEvent} */ event) => {
    event.preventDefault();
    event.clipboardData?.setData("text/plain", text);
  };
  document.addEventListener("copy", put, { once: true });
  if (!document.execCommand("copy")) throw new Error("refused");
}

/** Copy a text and say so. @param {string} text @param {string} what */
export async function copyText(text, what) {
  try {
    await toClipboard(text);
    toast(`${what} copied`);
    return true;
  } catch {
    toast(`${what} could not be copied: the browser refused`, "warning");
    return false;
  }
}

/** @param {HTMLElement} button @returns {Promise<string>} what is to be copied; a long text is fetched whole */
async function textOf(button) {
  const { copyWhole, copy } = button.dataset;
  if (copyWhole) {
    const answer = await fetch(copyWhole);
    if (!answer.ok) throw new Error(String(answer.status));
    return new TextDecoder("utf-8", { ignoreBOM: true }).decode(await answer.arrayBuffer());
  }
  return copy || zoned(location.href);
}

document.addEventListener("click", async (event) => {
  const button = hit(event, "[data-copy], [data-copy-whole]");
  if (!button) return;
  event.preventDefault();
  const text = await textOf(button).catch(() => null);
  if (text === null) { toast("It did not come, so nothing was copied", "warning"); return; }
  if (!(await copyText(text, button.dataset.what ?? "Text"))) return;
  const before = button.querySelector(".i");
  if (!before || button.classList.contains("done")) return;
  const check = icon("check");
  button.classList.add("done");
  before.replaceWith(check);
  setTimeout(() => { check.replaceWith(before); button.classList.remove("done"); }, 2000);
});

document.addEventListener("click", (event) => {
  const button = hit(event, "[data-save]");
  const table = button && one(`#${CSS.escape(button.dataset.from ?? "")}`);
  if (!button || !table) return;
  const cell = (/** @type {HTMLElement} */ each) => // a number as it is: its commas are decimal points elsewhere
    each.dataset.value ?? `"${guarded((each.textContent ?? "").trim()).replaceAll('"', '""')}"`;
  const lines = [...table.querySelectorAll("tr")].map((row) => [...row.cells].map(cell).join(","));
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob(["\ufeff", lines.join("\r\n"), "\r\n"], { type: "text/csv" }));
  link.download = button.dataset.save ?? "table.csv";
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60000);
  toast("Objects saved as CSV", "download");
});
