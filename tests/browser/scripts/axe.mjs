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

/** What a theme can change. */
const BY_THEME = ["color-contrast", "link-in-text-block"];

export default async function ({ open, given }) {
  const found = {};
  const page = await open({ bypassCSP: true });
  const look = async (name) => {
    await page.emulateMedia({ colorScheme: "light" });
    found[`${name} in light`] = await violations(page);
    await page.emulateMedia({ colorScheme: "dark" });
    found[`${name} in dark`] = await violations(page, BY_THEME);
  };
  for (const path of given.paths) {
    await page.goto(path);
    if (path === "/") await page.waitForSelector("#hours-chart .uplot");
    await look(path);
  }
  await page.goto(given.statistics);
  await page.locator("#columns-menu > summary").click();
  await look("picklist");
  await page.keyboard.press("Escape");
  await page.locator('thead input[name="status"]').focus();
  await look("suggestions");
  await page.locator("[data-job]").first().click();
  await page.waitForSelector("dialog[open] .job-body");
  await look("dialog");
  return { found };
}
