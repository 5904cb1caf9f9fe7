/** What the box of a list shows, and the address after words were typed into it and Enter, with scripts and without. */
import { follow } from "../steps.mjs";

export default async function ({ open, given }) {
  const seen = {};
  for (const scripts of [true, false]) {
    const page = await open({ javaScriptEnabled: scripts });
    await page.goto(given.path);
    const box = page.locator('thead input[name="status"]');
    const state = async () => [await box.inputValue(), new URL(page.url()).searchParams.get("status"), (await page.textContent(".chip b"))?.trim(), await page.locator(".box:has(#box-status) > .i").isVisible()];
    const steps = [await state()];
    for (const words of given.typed) {
      await box.fill(words);
      if (scripts) await box.press("Enter"); else await follow(page, box.press("Enter"));
      if (scripts) await page.waitForURL((url) => url.searchParams.get("status") === given.slugs[words]);
      await box.blur();
      steps.push(await state());
    }
    seen[scripts ? "scripts" : "none"] = steps;
    if (!scripts) continue;
    await box.fill("not:ti");
    await page.keyboard.press("ArrowDown");
    await page.keyboard.press("Enter");
    await page.waitForURL((url) => url.searchParams.get("status") === "not:timed_out");
    seen.suggested = [await box.inputValue()];
    await box.fill("errors, tim");
    await page.keyboard.press("ArrowDown");
    await page.keyboard.press("Enter");
    await page.waitForURL((url) => url.searchParams.get("status") === "errors,timed_out");
    seen.suggested.push(await box.inputValue());
  }
  return seen;
}
