/** Small helpers over the document, typed so that callers need no casts. */

/** @param {string} selector @param {ParentNode} [under] @returns {HTMLElement | null} */
export function one(selector, under = document) {
  return /** @type {HTMLElement | null} */ (under.querySelector(selector));
}

/** @param {string} selector @param {ParentNode} [under] @returns {HTMLElement[]} */
export function all(selector, under = document) {
  return /** @type {HTMLElement[]} */ ([...under.querySelectorAll(selector)]);
}

/** The nearest element around an event's target that matches. @param {Event} event @param {string} selector */
export function hit(event, selector) {
  const target = event.target;
  return target instanceof Element ? /** @type {HTMLElement | null} */ (target.closest(selector)) : null;
}

/** An icon of the page's sprite. @param {string} name */
export function icon(name) {
  const space = "http://www.w3.org/2000/svg";
  const drawing = document.createElementNS(space, "svg");
  drawing.setAttribute("class", "i s14");
  drawing.setAttribute("aria-hidden", "true");
  const use = document.createElementNS(space, "use");
  use.setAttribute("href", `#i-${name}`);
  drawing.append(use);
  return drawing;
}

/** @param {string} tag @param {Record<string, string>} [attributes] @param {...(Node | string)} children */
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

/** The button that shows what is new; `r` presses it. @param {string} words @param {() => void} show @param {string} [sign] */
export function makePill(words, show, sign = "arrow-up") {
  const pill = make("button", { type: "button", class: "pill", "data-show-new": "" }, icon(sign), words);
  pill.addEventListener("click", show);
  return pill;
}

/** True while somebody types: single letters are text then. */
export function typing() {
  const at = document.activeElement;
  return at instanceof HTMLInputElement ? at.type !== "checkbox" : at instanceof HTMLTextAreaElement || at instanceof HTMLSelectElement;
}

/** A whole address of this site that names a zone, so that whoever opens a copy reads the same times. @param {string} href */
export function zoned(href) {
  const address = new URL(href, location.href);
  const zone = document.body.dataset.zone;
  if (zone && !address.searchParams.has("tz")) address.search += `${address.search && "&"}tz=${encodeURIComponent(zone)}`;
  return address.href;
}
