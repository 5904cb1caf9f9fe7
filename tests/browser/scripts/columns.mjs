/** ☰: hide, show and move columns; kept for the person; count tabs; theme and zone; colours of rows. */
import { follow } from "../steps.mjs";

export default async function ({ open, given }) {
  const page = await open();
  const titles = () => page.$$eval("thead tr.titles th", (cells) => cells.map((cell) => (cell.textContent ?? "").replace(/\s+/g, " ").trim()));
  await page.goto(given.statistics);
  const before = await titles();
  const pressed = await page.$$eval('.counts button[aria-pressed="true"]', (all) => all.map((each) => each.getAttribute("value")));
  const chip = await page.textContent(".chip");
  const counts = Object.fromEntries(await page.$$eval(".counts button[aria-pressed]", (all) => all.map((each) => [each.getAttribute("value"), each.querySelector("b")?.textContent])));
  const sights = {};
  for (const [width, height] of [[1440, 900], [1440, 700], [1024, 768], [390, 844], [320, 700]]) {
    await page.setViewportSize({ width, height });
    await page.goto(given.statistics);
    const within = (selector) => page.$eval(selector, (each) => { const box = each.getBoundingClientRect(); return box.left >= 0 && box.right <= innerWidth && document.elementFromPoint(box.left + box.width / 2, box.top + box.height / 2)?.closest("button") === each; });
    await page.locator(".counts-end button").evaluate((button) => scrollBy(0, button.getBoundingClientRect().top - innerHeight / 2));
    const add = await within(".counts-end button");
    await page.evaluate(() => scrollTo(0, 0));
    if (width < 640) await page.locator("#columns-menu").scrollIntoViewIfNeeded();
    await page.locator("#columns-menu > summary").click();
    await page.waitForFunction(() => !!document.querySelector("#columns-menu .picklist").style.getPropertyValue("--room"));
    sights[`${width} x ${height}`] = [add, await within(".picklist .primary"), await within(".picklist .ghost"), await page.$eval(".picklist ul", (list) => list.clientHeight > 100 && list.scrollHeight > list.clientHeight)];
  }
  await page.setViewportSize({ width: 1440, height: 900 });
  await page.goto(given.statistics);
  await page.locator(".counts-end button").click();
  await page.waitForFunction(() => document.querySelectorAll('.counts button[aria-pressed="true"]').length === 3);
  const added = new URL(page.url()).searchParams.get("status");
  await page.goto(given.statistics);
  await page.locator("#columns-menu > summary").click();
  await page.locator('.picklist input[value="report"]').uncheck();
  await page.locator('.picklist input[value="duration"]').check();
  await page.locator('.picklist li[data-column="duration"] input').focus();
  for (let step = 0; step < 14; step += 1) await page.keyboard.press("Alt+ArrowUp");
  await follow(page, page.locator(".picklist .primary").click());
  const chosen = await titles();
  await page.goto(given.statistics);
  const kept = await titles();
  await page.locator("#columns-menu > summary").click();
  await follow(page, page.getByRole("button", { name: "Reset to default" }).click());
  const reset = await titles();
  const colour = (selector) => page.$eval(selector, (element) => getComputedStyle(element).color);
  const colours = {};
  for (const theme of ["light", "dark"]) {
    while ((await page.evaluate(() => document.documentElement.dataset.theme ?? "system")) !== theme) {
      await follow(page, page.locator("[data-theme-switch]").click());
    }
    await page.goto("/organizations?tz=UTC");
    colours[theme] = {
      red: await colour("tr.red td"), red_name: await colour("tr.red a.name"), red_word: await page.textContent("tr.red .st"),
      black: await colour("#rows tr:not(.red) a.name"), word: await colour("#rows tr:not(.red) .s-enabled"),
      text: await page.evaluate(() => getComputedStyle(document.body).color),
    };
    await page.goto(`${given.users}&status=disabled`);
    colours[theme].user = await colour("tr.red td");
    colours[theme].flag = (await page.textContent("tr.red .s-disabled"))?.trim();
  }
  await page.locator("details.zone summary").click();
  await follow(page, page.getByRole("button", { name: "Asia/Tokyo" }).click());
  const zone = (await page.textContent("details.zone summary"))?.trim();
  return { before, sights, pressed, chip, counts, added, chosen, kept, reset, colours, zone };
}
