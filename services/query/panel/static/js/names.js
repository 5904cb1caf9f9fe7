/** Names of objects that are shown to support for a while: what they hide behind is put back in time, on each open page. */
import { one } from "./dom.js";

const left = Number(document.body.dataset.namesLeft ?? 0);
if (left) setTimeout(() => location.reload(), (left + 1) * 1000);

/** Whether names are masked on one page and shown on the other: hidden, or revealed, in another tab. @param {Document} page */
export function areOtherwise(page) {
  const { names } = page.body.dataset;
  return names !== undefined && names !== document.body.dataset.names;
}

/** The page comes back where one is now, which scripts may have changed since it came. */
document.addEventListener("submit", (event) => {
  const form = /** @type {HTMLFormElement} */ (event.target);
  const next = form.matches('[action="/reveal"], [action="/hide"]') ? /** @type {HTMLInputElement|null} */ (one('input[name="next"]', form)) : null;
  if (next) next.value = location.pathname + location.search + location.hash;
});
