/** Job details: the page at its own address, shown in a dialog over the list. Back closes it. */
import { all, hit, one, zoned } from "./dom.js";
import { say, toast } from "./say.js";

const dialog = /** @type {HTMLDialogElement | null} */ (one("#job"));
/** @type {HTMLElement | null} */
let opener = null;

/** @param {string} href @param {HTMLElement | null} from @param {boolean} push */
async function open(href, from, push) {
  if (!dialog) return;
  const address = zoned(href);
  const answer = await fetch(address, { headers: { "Syncwatch-Part": "job" } });
  if (!answer.ok) { toast(answer.status === 404 ? "The report of this session has not arrived" : "Job details did not come, please try again", "warning"); return; }
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  dialog.replaceChildren(...page.body.childNodes);
  mark(from);
  if (!dialog.open) dialog.showModal();
  if (push) history.pushState({ job: address }, "", address); else history.replaceState({ job: address }, "", address);
  one("[data-close]", dialog)?.focus();
  one(".job-scroll", dialog)?.scrollTo(0, 0);
  follow(dialog, address);
}

/** Of a session that ended nothing more is asked. @param {HTMLElement} root @param {string} address */
function follow(root, address) {
  const body = one("[data-coming]", root); // once the module has come, another job may stand there
  if (body) void import("./running.js").then(({ keepUp }) => keepUp(root, body, address));
}

/** @param {HTMLElement | null} from */
function mark(from) {
  for (const row of all("tr.chosen")) row.classList.remove("chosen");
  opener = from;
  const row = from?.closest("tr");
  if (!row || !dialog) return;
  row.classList.add("chosen");
  const rows = all("#rows > tr");
  const place = one("[data-place]", dialog);
  if (place && rows.length) place.textContent = placeOf(rows.indexOf(row) + 1, rows.length);
  for (const [step, by] of /** @type {[string, number][]} */ ([["previous", -1], ["next", 1]])) {
    const button = /** @type {HTMLButtonElement | null} */ (one(`[data-step="${step}"]`, dialog));
    if (button) { button.hidden = false; button.disabled = !rows[rows.indexOf(row) + by]; }
  }
}

/** The place among all that match; pages have no numbers, so behind the first one only that on the page is known. @param {number} nth @param {number} rows */
function placeOf(nth, rows) {
  const all = one(".matches b")?.textContent ?? "";
  return one('#list a[rel="prev"]') ? `${nth} of ${rows} on this page, ${all} in all` : `${nth} of ${all || rows}`;
}

/** Read the open job once more, and show the same place of it. Whether one was open. */
export function again() {
  if (!dialog?.open) return false;
  const at = one(".job-scroll", dialog)?.scrollTop ?? 0;
  void open(location.href, opener, false).then(() => {
    one(".job-scroll", dialog)?.scrollTo(0, at);
    one('#job [action="/reveal"] button, #job [action="/hide"] button')?.focus({ preventScroll: true });
  });
  return true;
}

function shut() {
  dialog?.close();
  for (const row of all("tr.chosen")) row.classList.remove("chosen");
  opener?.focus();
}

/** Open the job of the row before or after the open one. @param {number} by */
export function step(by) {
  const row = opener?.closest("tr");
  const other = by < 0 ? row?.previousElementSibling : row?.nextElementSibling;
  const link = other && /** @type {HTMLAnchorElement | null} */ (other.querySelector("[data-job]"));
  if (link) void open(link.href, link, false);
}

document.addEventListener("click", (event) => {
  if (event instanceof MouseEvent && (event.ctrlKey || event.metaKey || event.shiftKey || event.button)) return;
  const link = hit(event, "a[data-job]");
  if (link instanceof HTMLAnchorElement && dialog) {
    event.preventDefault();
    void open(link.href, link, !dialog.open);
    return;
  }
  const within = hit(event, '#job a[href^="#"]');
  if (within) { // a fragment would be a step in the history, which closes the dialog
    event.preventDefault();
    one(within.getAttribute("href") ?? "", dialog ?? document)?.scrollIntoView({ block: "start" });
  }
  if (hit(event, "#job [data-close]") || event.target === dialog) { event.preventDefault(); history.back(); }
  const stepper = hit(event, "#job [data-step]");
  if (stepper) step(stepper.dataset.step === "next" ? 1 : -1);
});
dialog?.addEventListener("cancel", (event) => { event.preventDefault(); history.back(); });
addEventListener("popstate", (event) => {
  if (dialog?.open && !event.state?.job) { shut(); say("Job details closed"); }
  else if (event.state?.job) void open(event.state.job, opener, false);
});
document.addEventListener("htmx:before:history:restore", (event) => { if (dialog?.open) event.preventDefault(); });

const standing = one(".job-page");
if (standing) follow(standing, location.href);
