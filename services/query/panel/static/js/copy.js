/** Copy buttons: `data-copy` holds the text, or `data-from` names the element whose text is copied byte for byte. */
import { hit, icon, one } from "./dom.js";
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

document.addEventListener("click", async (event) => {
  const button = hit(event, "[data-copy]");
  if (!button) return;
  event.preventDefault();
  const from = button.dataset.from;
  const text = from ? one(`#${CSS.escape(from)}`)?.textContent ?? "" : button.dataset.copy || location.href;
  if (!(await copyText(text, button.dataset.what ?? "Text"))) return;
  const before = button.querySelector(".i");
  if (!before || button.classList.contains("done")) return;
  const check = icon("check");
  button.classList.add("done");
  before.replaceWith(check);
  setTimeout(() => { check.replaceWith(before); button.classList.remove("done"); }, 2000);
});
