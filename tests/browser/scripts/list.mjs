/** One list: what a box filters, what a title sorts, what the file holds, all as seen on screen. */
import { readFile } from "node:fs/promises";

export default async function ({ open, given, rowsOf }) {
  const page = await open();
  await page.goto(given.path);
  const before = await rowsOf(page);
  const titles = await page.$$eval("thead tr.titles th", (cells) => cells.map((cell) => (cell.textContent ?? "").replace(/\s+/g, " ").trim()));
  const boxes = await page.$$eval("thead tr.boxes input", (inputs) => inputs.map((input) => input.labels?.[0]?.textContent?.trim()));
  const box = page.locator(`thead input[name="${given.box}"]`);
  await box.fill(given.text);
  await box.press("Enter");
  await page.waitForFunction((name) => new URLSearchParams(location.search).has(name), given.box);
  await page.waitForSelector(".chip");
  const chips = await page.$$eval(".chip", (chips) => chips.map((chip) => chip.textContent?.trim()));
  const filtered = await rowsOf(page);
  const matches = (await page.textContent(".matches"))?.trim();
  const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("link", { name: "Export to CSV" }).click()]);
  const csv = await readFile(await download.path(), "utf8");
  await page.waitForSelector(".toast");
  const toast = await page.textContent(".toast");
  const [exportBox, secondBox] = await Promise.all([page.locator("[data-export]").boundingBox(), page.locator("thead tr.titles th").nth(1).boundingBox()]);
  await page.getByRole("link", { name: "Clear all filters" }).click();
  await page.waitForFunction(() => !document.querySelector(".chip"));
  await page.locator(`thead a[data-sort="${given.sort}"]`).click();
  await page.waitForFunction((name) => location.search.includes("sort=") && document.querySelector(`a[data-sort="${name}"]`)?.closest("th")?.hasAttribute("aria-sort"), given.sort);
  const sorted = await rowsOf(page);
  const order = await page.getAttribute("thead th[aria-sort]", "aria-sort");
  return { titles, boxes, before, filtered, matches, chips, csv, toast, sorted, order, above: exportBox && secondBox ? Math.abs(exportBox.x - secondBox.x) : null, url: page.url() };
}
