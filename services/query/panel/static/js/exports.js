/**
 * A file says that it is under way, how far it is, and how it ended; one that is refused says why. It is saved only when
 * all of it came: a cut one is said to be cut.
 */
import { hit, make } from "./dom.js";
import { copyText } from "./copy.js";
import { lasting, toast } from "./say.js";

/** Bytes held by the page; what is more goes into a blob, which the browser keeps on disk. */
const HELD = 32e6;

/** @param {HTMLElement} button @param {string} text */
function word(button, text) {
  if (button.lastChild) button.lastChild.textContent = text;
}

/** @param {Blob} file @param {string} name */
function save(file, name) {
  const address = URL.createObjectURL(file);
  const link = /** @type {HTMLAnchorElement} */ (make("a", { href: address, download: name }));
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(address), 60000);
}

/** @param {Response} answer */
function nameOf(answer) {
  return /filename="([^"]+)"/.exec(answer.headers.get("Content-Disposition") ?? "")?.[1] ?? "syncwatch";
}

/** @param {Response} answer @returns {Promise<string>} why it was refused */
async function reason(answer) {
  if (answer.status === 401) return "you were signed out. Sign in, and take it again";
  const problem = await answer.json().catch(() => null);
  return problem?.detail ?? `the answer was ${answer.status}`;
}

/** Read all of an answer, saying how far it is. @param {Response} answer @param {(text: string) => void} tell */
async function whole(answer, tell) {
  const type = answer.headers.get("Content-Type") ?? "";
  const reader = answer.body?.getReader();
  /** @type {BlobPart[]} */
  let parts = [];
  let bytes = 0;
  let held = 0;
  for (;;) {
    const step = await reader?.read();
    if (!step || step.done) return new Blob(parts, { type });
    parts.push(step.value);
    bytes += step.value.length;
    held += step.value.length;
    if (held > HELD) { parts = [new Blob(parts)]; held = 0; }
    tell(bytes < 1e6 ? "Downloading…" : `${(bytes / 1e6).toFixed(1)} MB…`);
  }
}

/** Fetch a file and save it. @param {string} link @param {string} what @param {(text: string) => void} tell @returns {Promise<Response | null>} null: no file was kept, and why was said */
async function download(link, what, tell) {
  tell("Preparing…");
  try {
    const answer = await fetch(link);
    if (!answer.ok) { toast(`${what} was refused: ${await reason(answer)}`, "warning"); return null; }
    save(await whole(answer, tell), nameOf(answer));
    return answer;
  } catch {
    toast(`${what} was cut midway, so no file was kept`, "warning");
    return null;
  }
}

/** @param {string | null} id @param {string} link */
async function tellRows(id, link) {
  const state = id ? await fetch(`/api/v1/exports/${encodeURIComponent(id)}`).then((answer) => answer.ok ? answer.json() : null).catch(() => null) : null;
  const rows = state?.rows == null ? "Rows" : `${Number(state.rows).toLocaleString("en")} ${state.rows === 1 ? "row" : "rows"}`;
  const at = state?.as_of ? `, as of ${new Date(state.as_of).toLocaleTimeString("en-GB", { timeZone: document.body.dataset.zone || undefined })}` : "";
  toast(`${rows} exported${at}`, "download", { word: "Copy link", act: () => void copyText(new URL(link, location.href).href, "Link") });
}

/** One file at a time from one place. @param {HTMLElement} from @param {() => Promise<void>} work */
async function once(from, work) {
  if (from.getAttribute("aria-busy")) return;
  from.setAttribute("aria-busy", "true");
  await work();
  from.removeAttribute("aria-busy");
}

/** @param {HTMLElement} button @param {string} link */
async function exportList(button, link) {
  const answer = await download(link, "The export", (text) => word(button, text));
  if (answer) await tellRows(answer.headers.get("Syncwatch-Export-Id"), link);
  word(button, "Export to CSV");
}

/** @param {string} link */
async function downloadLogs(link) {
  const note = lasting("download");
  const answer = await download(link, "The log archive", (text) => note.tell(`Log archive: ${text}`));
  note.end();
  if (answer) toast(`${nameOf(answer)} saved`, "download");
}

document.addEventListener("click", (event) => {
  const link = hit(event, "a[data-export], a[data-download]");
  if (!(link instanceof HTMLAnchorElement) || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  void once(link, () => link.matches("[data-export]") ? exportList(link, link.href) : downloadLogs(link.href));
});
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (!(form instanceof HTMLFormElement) || !form.matches("[data-download]")) return;
  event.preventDefault();
  const range = /** @type {[string, string][]} */ ([...new FormData(form).entries()]);
  void once(form, () => downloadLogs(`${form.action}?${new URLSearchParams(range)}`));
});
