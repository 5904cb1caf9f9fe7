/** What happened, for eyes (a toast) and for ears (a live region). */
import { all, icon, make, one } from "./dom.js";

const HEARD_MS = 100;

/**
 * The place where toasts and spoken lines go. Behind an open modal dialog everything is inert: veiled and unspoken. So
 * the place moves into that dialog, and there into the top layer, above all else. @param {string} id
 */
function placeOf(id) {
  const home = all("dialog[open]").pop() ?? document.body;
  const place = one(`#${id}`) ?? (id === "say" ? make("div", { id, class: "hear", "aria-live": "polite" }) : make("div", { id, class: "toasts", popover: "manual" }));
  if (place.parentElement !== home) home.append(place);
  return place;
}

/** Say something to screen readers, politely. @param {string} text */
export function say(text) {
  const region = placeOf("say");
  region.textContent = "";
  setTimeout(() => { region.textContent = text; }, HEARD_MS);
}

/** Put a note among the toasts, above whatever is open now. @param {HTMLElement} note */
function put(note) {
  const place = placeOf("toasts");
  if (note.parentElement !== place) place.append(note);
  if (place.matches(":popover-open")) place.hidePopover();
  place.showPopover();
}

/** @param {HTMLElement} note */
function remove(note) {
  const place = note.parentElement;
  note.remove();
  if (!place?.firstChild && place?.matches(":popover-open")) place.hidePopover();
}

/**
 * Show a toast for a few seconds. @param {string} text @param {string} [sign] @param {{word: string, act: () => void}} [action]
 */
export function toast(text, sign = "check", action) {
  const note = make("div", { class: "toast" }, icon(sign), make("span", {}, text));
  if (action) {
    const button = make("button", { type: "button" }, action.word);
    button.addEventListener("click", action.act);
    note.append(button);
  }
  for (const before of all(".toast:not(.lasting)")) before.remove();
  put(note);
  say(text);
  setTimeout(() => remove(note), action || sign === "warning" ? 8000 : 3500);
}

/** A toast for as long as something lasts; it is spoken once. @param {string} sign */
export function lasting(sign) {
  const words = make("span");
  const note = make("div", { class: "toast lasting" }, icon(sign), words);
  return {
    /** @param {string} text */
    tell(text) {
      if (!words.textContent) say(text);
      words.textContent = text;
      if (!note.checkVisibility()) put(note); // also when the dialog it stood in was closed
    },
    end() { remove(note); },
  };
}
