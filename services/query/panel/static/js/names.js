/** Names of objects that are shown to support for a while: what they hide behind is put back in time, on each open page. */
import { one } from "./dom.js";
import { again } from "./job.js";
import { toast } from "./say.js";

let masking = 0;

/** Mask names again when their time is up: a list by its next look, a job over it by a look of its own, else by the whole page. @param {Document} page */
function maskInTime(page) {
  clearTimeout(masking);
  const left = Number(page.body.dataset.namesLeft ?? 0);
  if (left) masking = window.setTimeout(() => { if (!again() && (document.hidden || !one("#list"))) location.reload(); }, (left + 1) * 1000);
}
maskInTime(document);

/** From now on this page is as that one, with names masked or shown. @param {Document} page */
export function becomeLike(page) {
  document.body.dataset.names = page.body.dataset.names;
  maskInTime(page);
}

/** Whether names are masked on one page and shown on the other: hidden, or revealed, in another tab. @param {Document} page */
export function areOtherwise(page) {
  const { names } = page.body.dataset;
  return names !== undefined && names !== document.body.dataset.names;
}

/** Reveal or hide in the dialog, which stays where it is; the list behind it follows once it is closed. @param {HTMLFormElement} form */
async function choose(form) {
  const answer = await fetch(form.action, { method: "POST", body: new URLSearchParams(/** @type {any} */ (new FormData(form))) }).catch(() => null);
  if (!answer?.ok) { toast("Nothing was changed, please try again", "warning"); return; }
  maskInTime(new DOMParser().parseFromString(await answer.text(), "text/html"));
  again();
}

/** The page comes back where one is now, which scripts may have changed since it came. */
document.addEventListener("submit", (event) => {
  const form = /** @type {HTMLFormElement} */ (event.target);
  if (!form.matches('[action="/reveal"], [action="/hide"]')) return;
  const next = /** @type {HTMLInputElement | null} */ (one('input[name="next"]', form));
  if (next) next.value = location.pathname + location.search + location.hash;
  if (!form.closest("dialog")) return;
  event.preventDefault();
  void choose(form);
});
