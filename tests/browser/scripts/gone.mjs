/** A row that no longer matches its list stays where it is and says so, until somebody asks for the list anew. */
import { writeFile } from "node:fs/promises";

export default async function ({ open, given }) {
  const page = await open();
  await page.addInitScript(() => { document.addEventListener("DOMContentLoaded", () => { document.body.dataset.every = "400"; }); });
  await page.goto(given.path);
  const keys = () => page.$$eval("#rows > tr", (rows) => rows.map((row) => row.id));
  const height = () => page.$eval("#rows", (rows) => rows.getBoundingClientRect().height);
  const before = [await keys(), await height()];
  await page.mouse.move(0, 0);
  await writeFile(given.ready, "");
  const word = await page.waitForSelector(".gone-word", { timeout: 60000 }).then((found) => found.textContent());
  const after = [await keys(), await height()];
  const seen = await page.locator("tr.gone .gone-word").isVisible();
  await page.reload();
  return { before, after, word, seen, left: (await keys()).length };
}
