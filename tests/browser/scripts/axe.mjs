/** axe-core over every page in both themes, with menu, dialogs and suggestions open too; and what others see, signed in or not. */
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
  const look = async (name, at = page) => {
    await at.emulateMedia({ colorScheme: "light" });
    found[`${name} in light`] = await violations(at);
    await at.emulateMedia({ colorScheme: "dark" });
    found[`${name} in dark`] = await violations(at, BY_THEME);
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
  await page.keyboard.press("?");
  await page.waitForSelector("dialog.help[open]");
  await look("help");
  await page.keyboard.press("Escape");
  await page.setViewportSize({ width: 600, height: 900 });
  await page.locator("[data-filters]").click();
  await page.setViewportSize({ width: 1440, height: 900 });
  await page.waitForSelector("#filters[open]");
  await look("filters");
  await page.keyboard.press("Escape");
  await page.locator('thead input[name="status"]').focus();
  await look("suggestions");
  await page.locator("[data-job]").first().click();
  await page.waitForSelector("dialog[open] .job-body");
  await look("dialog");
  for (const [name, { cookie, path }] of Object.entries(given.others)) {
    const other = await open({ cookie, bypassCSP: true });
    await other.goto(path);
    await look(name, other);
  }
  return { found };
}
