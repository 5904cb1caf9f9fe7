/** Phone and 320 px: nothing overflows sideways, targets are large enough, axe-core finds nothing, filters stand in a sheet. */
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";

const axe = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

export default async function ({ open, given }) {
  const found = {};
  const page = await open({ viewport: { width: 390, height: 800 }, bypassCSP: true });
  for (const path of given.paths) {
    await page.setViewportSize({ width: 390, height: 800 });
    await page.goto(path);
    const astray = await page.$$eval(".beside, .toolbar .rule", (all) => all.filter((each) => each.checkVisibility()).length);
    if (astray) found[path] = `${astray} with no place on a phone`;
    for (const width of [390, 320]) {
      await page.setViewportSize({ width, height: 800 });
      const over = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
      if (over > 0) found[`${path} at ${width}`] = `${over} px too wide`;
    }
  }
  await page.setViewportSize({ width: 390, height: 800 });
  const rules = {};
  for (const path of given.phone) {
    await page.goto(path);
    await page.evaluate(axe);
    rules[path] = await page.evaluate(async () => (await /** @type {any} */ (window).axe.run(document, { resultTypes: ["violations"] })).violations.map((each) => `${each.id}: ${each.nodes[0].html.slice(0, 160)}`));
  }
  const sheet = {};
  for (const javaScriptEnabled of [true, false]) {
    const phone = await open({ viewport: { width: 390, height: 800 }, javaScriptEnabled, bypassCSP: true });
    await phone.goto(given.phone[0]);
    const told = { boxes: await phone.locator("thead input").first().isVisible() };
    await phone.locator("[data-filters]").click();
    told.labels = await phone.$$eval("#filters .field", (fields) => fields.every((field) => field.querySelector("label").htmlFor === field.querySelector("input, select").id));
    told.inside = await phone.locator("#filters .field input").first().isVisible();
    if (javaScriptEnabled) {
      await phone.evaluate(axe);
      told.rules = await phone.evaluate(async () => (await /** @type {any} */ (window).axe.run(document, { resultTypes: ["violations"] })).violations.map((each) => `${each.id}: ${each.nodes[0].html.slice(0, 160)}`));
      await phone.keyboard.press("Escape");
      told.closed = !(await phone.locator("#filters").isVisible());
      await phone.locator("[data-filters]").click();
    }
    await phone.locator("#filters input[name=users]").fill(">=10");
    await phone.getByLabel("Sorted by").selectOption({ label: "Users, most first" });
    await phone.locator("#filters .primary").click();
    await phone.waitForURL(/users=/);
    told.chips = await phone.locator(".chip").count();
    told.clean = javaScriptEnabled ? !phone.url().includes("name=&") : true;
    await phone.locator("[data-filters]").click();
    told.sorted = [new URL(phone.url()).searchParams.get("sort"), await phone.getAttribute('thead a[data-sort="users"] >> xpath=..', "aria-sort")];
    told.explicit = await phone.$$eval("table, #rows, #rows > tr, #rows > tr > *", (parts) => parts.every((part) => part.hasAttribute("role")));
    told.kept = await phone.locator("#filters input[name=users]").inputValue();
    await phone.locator("#filters .acts a").click();
    await phone.waitForURL((url) => !url.search.includes("users="));
    told.cleared = await phone.locator(".chip").count();
    sheet[javaScriptEnabled ? "script" : "plain"] = told;
  }
  const bar = {};
  for (const width of [390, 320]) {
    await page.setViewportSize({ width, height: 800 });
    for (const focus of ["", "#find"]) {
      await page.goto(given.phone[0]);
      if (focus) await page.locator(focus).fill("Northwind Traders");
      bar[`${width}${focus}`] = await page.evaluate(() => {
        const boxes = [...document.querySelectorAll(".top-in > *")].map((each) => each.getBoundingClientRect()).filter((box) => box.width).sort((a, b) => a.left - b.left);
        const find = document.querySelector("#find");
        return { within: boxes.every((box, at) => box.height <= 48 && box.left >= 0 && box.right <= Math.min(innerWidth, boxes[at + 1]?.left ?? innerWidth)), cut: find.scrollWidth > find.clientWidth + 1, named: document.querySelector(".brand").getAttribute("aria-label") };
      });
    }
  }
  await page.setViewportSize({ width: 390, height: 800 });
  await page.goto(given.phone[0]);
  const small = await page.$$eval("main a, main button, main summary", (all) => all.filter((each) => each.checkVisibility()).map((each) => [each.textContent?.trim().slice(0, 20), Math.round(each.getBoundingClientRect().height)]).filter(([, height]) => height > 1 && height < 18));
  return { found, rules, sheet, bar, small };
}
