/** axe-core over every page in both themes, with menu, dialog and suggestions open too. */
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";

const axe = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

async function violations(page, rules) {
  await page.evaluate(axe);
  return page.evaluate(async (only) => {
    const found = await /** @type {any} */ (window).axe.run(document, { resultTypes: ["violations"], ...(only ? { runOnly: only } : {}) });
    return found.violations.map((each) => `${each.id}: ${each.nodes.slice(0, 3).map((node) => node.html.slice(0, 160)).join(" | ")}`);
  }, rules);
}

export default async function ({ open, given }) {
  const found = {};
  const page = await open({ colorScheme: given.theme, bypassCSP: true });
  for (const path of given.paths) {
    await page.goto(path);
    if (path === "/") await page.waitForSelector("#hours-chart .uplot");
    found[path] = await violations(page, given.rules);
  }
  await page.goto(given.statistics);
  await page.locator("#columns-menu > summary").click();
  found.picklist = await violations(page, given.rules);
  await page.keyboard.press("Escape");
  await page.locator('thead input[name="error_source"]').focus();
  found.suggestions = await violations(page, given.rules);
  await page.locator("[data-job]").first().click();
  await page.waitForSelector("dialog[open] .job-body");
  found.dialog = await violations(page, given.rules);
  return { found };
}
