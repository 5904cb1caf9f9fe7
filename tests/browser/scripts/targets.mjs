/** At 1,440 px: what is pressed and is narrower or lower than 24 px, as far as it is not cut off, by page. */
export default async function ({ open, given }) {
  const page = await open();
  const small = {};
  for (const path of given.paths) {
    await page.goto(path);
    small[path] = await page.$$eval("main :is(a, button, summary)", (all) => {
      const seen = (each) => {
        let { left, right, top, bottom } = each.getBoundingClientRect();
        for (let at = each.parentElement; at && getComputedStyle(each).position !== "absolute"; at = at.parentElement) {
          if (getComputedStyle(at).overflowX === "visible" || at.matches(".scroll, .log, main, body, html, .job-scroll")) continue;
          const cut = at.getBoundingClientRect();
          [left, right, top, bottom] = [Math.max(left, cut.left), Math.min(right, cut.right), Math.max(top, cut.top), Math.min(bottom, cut.bottom)];
        }
        return [Math.round(right - left), Math.round(bottom - top)];
      };
      const pressed = all.filter((each) => each.checkVisibility() && !each.matches(".hear"));
      return [...new Set(pressed.filter((each) => Math.min(...seen(each)) < 24).map((each) => `${each.parentElement?.className || each.parentElement?.tagName} ${each.textContent.trim().slice(0, 20)} ${seen(each)}`))];
    });
  }
  return { small };
}
