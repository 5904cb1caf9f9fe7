/** One list: what a box filters, what a title sorts, what the file holds, all as seen on screen. */
import { readFile } from "node:fs/promises";
import { follow, rowsOf, said } from "../steps.mjs";

export default async function ({ open, given }) {
  const page = await open();
  await page.goto(given.path);
  const before = await rowsOf(page);
  const titles = await page.$$eval("thead tr.titles th", (cells) => cells.map((cell) => (cell.textContent ?? "").replace(/\s+/g, " ").trim()));
  const boxes = await page.$$eval("thead tr.boxes input", (inputs) => inputs.map((input) => input.labels?.[0]?.textContent?.trim()));
  const box = page.locator(`thead input[name="${given.box}"]`);
  await box.fill(given.text);
  await box.press("Enter");
  await page.waitForSelector(`.box.set input[name="${given.box}"]`);
  const chips = await page.$$eval(".chip", (chips) => chips.map((chip) => chip.textContent?.trim()));
  const filtered = await rowsOf(page);
  const matches = (await page.textContent(".matches"))?.trim();
  const downloading = page.waitForEvent("download");
  const toast = await said(page, "exported", page.getByRole("link", { name: "Export to CSV" }).click());
  const download = await downloading;
  const csv = await readFile(await download.path(), "utf8");
  const [exportBox, secondBox] = await Promise.all([page.locator("[data-export]").boundingBox(), page.locator("thead tr.titles th").nth(1).boundingBox()]);
  await follow(page, page.getByRole("link", { name: "Clear all filters" }).click());
  const kept = await page.locator(".chip").count();
  await follow(page, page.locator(`thead a[data-sort="${given.sort}"]`).click());
  const sorted = await rowsOf(page);
  const order = await page.getAttribute(`thead th:has(a[data-sort="${given.sort}"])`, "aria-sort");
  return { titles, boxes, before, filtered, matches, chips, kept, csv, toast, sorted, order, above: exportBox && secondBox ? Math.abs(exportBox.x - secondBox.x) : null, url: page.url() };
}
