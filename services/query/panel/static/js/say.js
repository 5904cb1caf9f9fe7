/** What happened, for eyes (a toast) and for ears (a live region). */
import { icon, make, one } from "./dom.js";

/** Say something to screen readers, politely. @param {string} text */
export function say(text) {
  const region = one("#say");
  if (!region) return;
  region.textContent = "";
  setTimeout(() => { region.textContent = text; }, 50);
}

/**
 * Show a toast for a few seconds. @param {string} text @param {string} [sign] @param {{word: string, act: () => void}} [action]
 */
export function toast(text, sign = "check", action) {
  const place = one("#toasts");
  if (!place) return;
  const note = make("div", { class: "toast" }, icon(sign), make("span", {}, text));
  if (action) {
    const button = make("button", { type: "button" }, action.word);
    button.addEventListener("click", action.act);
    note.append(button);
  }
  place.replaceChildren(note);
  say(text);
  setTimeout(() => note.remove(), action ? 8000 : 3500);
}
