/** Compact lists are compact: how high their rows are, and what their runs say, whole or cut. */
import { follow } from "../steps.mjs";

export default async function ({ open, given }) {
  const page = await open();
  const choose = async (density) => {
    await page.locator(".foot .menu > summary").click();
    await follow(page, page.locator(`.foot .menu [value=${density}]`).click());
  };
  const told = {};
  for (const [name, path] of Object.entries(given.paths)) {
    told[name] = {};
    await page.goto(path);
    for (const density of ["compact", "roomy"]) {
      await choose(density);
      told[name][density] = await page.$$eval("#rows > tr", (rows) => [...new Set(rows.map((row) => row.getBoundingClientRect().height))]);
      if (density === "compact") {
        const run = page.locator("#rows .line:has(time)").nth(1);
        await run.hover();
        const hovered = await page.locator(".tip").textContent();
        await page.keyboard.press("Escape");
        await page.mouse.move(1, 1);
        await run.evaluate((each) => (each.querySelector("a") ?? each).focus());
        told[name].ends = [hovered, await page.locator(".tip").textContent()];
        await page.keyboard.press("Escape");
      }
      if (density === "compact") told[name].runs = await page.$$eval("#rows .line:has(time)", (all) => all.map((each) => [each.textContent, each.scrollWidth > each.clientWidth + 1]));
    }
  }
  return { told };
}
