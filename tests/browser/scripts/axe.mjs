/** axe-core over every page in both themes, with menu, dialog and suggestions open too. */
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";

const axe = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

async function violations(page) {
  await page.evaluate(axe);
  return page.evaluate(async () => {
    const found = await /** @type {any} */ (window).axe.run(document, { resultTypes: ["violations"] });
    return found.violations.map((each) => `${each.id}: ${each.nodes.slice(0, 3).map((node) => node.html.slice(0, 160)).join(" | ")}`);
  });
}

export default async function ({ open, given }) {
  const found = {};
  for (const colorScheme of ["light", "dark"]) {
    const page = await open({ colorScheme, bypassCSP: true });
    for (const path of given.paths) {
      await page.goto(path);
      if (path === "/") await page.waitForSelector("#hours-chart .uplot");
      found[`${path} ${colorScheme}`] = await violations(page);
    }
    await page.goto(given.statistics);
    await page.locator("#columns-menu > summary").click();
    found[`picklist ${colorScheme}`] = await violations(page);
    await page.keyboard.press("Escape");
    await page.locator('thead input[name="error_source"]').focus();
    found[`suggestions ${colorScheme}`] = await violations(page);
    await page.locator("[data-job]").first().click();
    await page.waitForSelector("dialog[open] .job-body");
    found[`dialog ${colorScheme}`] = await violations(page);
    await page.context().close();
  }
  for (const width of [390, 320]) {
    const page = await open({ viewport: { width, height: 800 }, bypassCSP: true });
    for (const path of given.paths) {
      await page.goto(path);
      const over = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
      if (over > 0) found[`${path} overflows at ${width}`] = [`${over} px`];
    }
    if (width === 390) for (const path of given.phone) { await page.goto(path); found[`${path} phone`] = await violations(page); }
    await page.context().close();
  }
  const outside = await open({ cookie: "", bypassCSP: true });
  for (const path of ["/sign-in", "/sign-in?problem=expired", "/sign-in/some-token"]) { await outside.goto(path); found[path] = await violations(outside); }
  return { found };
}
