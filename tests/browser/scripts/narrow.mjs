/** Phone and 320 px: nothing overflows sideways, targets are large enough, axe-core finds nothing, filters open. */
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";

const axe = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

export default async function ({ open, given }) {
  const found = {};
  for (const width of [390, 320]) {
    const page = await open({ viewport: { width, height: 800 }, bypassCSP: true });
    for (const path of given.paths) {
      await page.goto(path);
      const over = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
      if (over > 0) found[`${path} at ${width}`] = `${over} px too wide`;
    }
    await page.context().close();
  }
  const page = await open({ viewport: { width: 390, height: 800 }, bypassCSP: true });
  const rules = {};
  for (const path of given.phone) {
    await page.goto(path);
    await page.evaluate(axe);
    rules[path] = await page.evaluate(async () => (await /** @type {any} */ (window).axe.run(document, { resultTypes: ["violations"] })).violations.map((each) => `${each.id}: ${each.nodes[0].html.slice(0, 160)}`));
  }
  await page.goto(given.phone[0]);
  const before = await page.locator("thead input").first().isVisible();
  await page.locator("[data-filters]").click();
  const after = await page.locator("thead input").first().isVisible();
  const small = await page.$$eval("main a, main button, main summary", (all) => all.filter((each) => each.checkVisibility()).map((each) => [each.textContent?.trim().slice(0, 20), Math.round(each.getBoundingClientRect().height)]).filter(([, height]) => height > 1 && height < 18));
  return { found, rules, filters: [before, after], small };
}
