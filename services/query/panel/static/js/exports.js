/**
 * An export says that it is under way and how it ended: rows, as of when, and the link that runs it again. The file is
 * saved only when all of it came: a cut one is said to be cut.
 */
import { hit, make } from "./dom.js";
import { copyText } from "./copy.js";
import { toast } from "./say.js";

/** @param {HTMLElement} button @param {string} text */
function word(button, text) {
  if (button.lastChild) button.lastChild.textContent = text;
}

/** @param {Blob} whole @param {string} name */
function save(whole, name) {
  const address = URL.createObjectURL(whole);
  const link = /** @type {HTMLAnchorElement} */ (make("a", { href: address, download: name }));
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(address), 60000);
}

/** @param {Response} answer */
function nameOf(answer) {
  return /filename="([^"]+)"/.exec(answer.headers.get("Content-Disposition") ?? "")?.[1] ?? "syncwatch.csv";
}

/** Read all of an answer, saying how far it is. @param {Response} answer @param {HTMLElement} button */
async function whole(answer, button) {
  const reader = answer.body?.getReader();
  /** @type {BlobPart[]} */
  const parts = [];
  let bytes = 0;
  for (;;) {
    const step = await reader?.read();
    if (!step || step.done) return new Blob(parts, { type: "text/csv" });
    parts.push(step.value);
    bytes += step.value.length;
    word(button, bytes < 1e6 ? "Downloading…" : `${(bytes / 1e6).toFixed(1)} MB…`);
  }
}

/** @param {string | null} id @param {string} link */
async function tell(id, link) {
  const state = id ? await fetch(`/api/v1/exports/${encodeURIComponent(id)}`).then((answer) => answer.ok ? answer.json() : null).catch(() => null) : null;
  const rows = state?.rows == null ? "Rows" : `${Number(state.rows).toLocaleString("en")} ${state.rows === 1 ? "row" : "rows"}`;
  const at = state?.as_of ? `, as of ${new Date(state.as_of).toLocaleTimeString("en-GB", { timeZone: document.body.dataset.zone || undefined })}` : "";
  toast(`${rows} exported${at}`, "download", { word: "Copy link", act: () => void copyText(new URL(link, location.href).href, "Link") });
}

document.addEventListener("click", async (event) => {
  const button = hit(event, "a[data-export]");
  if (!(button instanceof HTMLAnchorElement) || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  if (button.getAttribute("aria-busy")) return;
  const link = button.getAttribute("href") ?? "";
  button.setAttribute("aria-busy", "true");
  word(button, "Preparing…");
  try {
    const answer = await fetch(link);
    if (!answer.ok) { toast("The export was refused: see the message on the page", "warning"); return; }
    save(await whole(answer, button), nameOf(answer));
    await tell(answer.headers.get("Syncwatch-Export-Id"), link);
  } catch {
    toast("The export was cut midway, so no file was kept", "warning");
  } finally {
    button.removeAttribute("aria-busy");
    word(button, "Export to CSV");
  }
});
document.addEventListener("click", (event) => {
  if (hit(event, "a[data-download]")) toast("Preparing the log archive", "download");
});
