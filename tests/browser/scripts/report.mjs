/** The detailed report of a session: what is seen, and what its CSV holds. */
import { readFile } from "node:fs/promises";

export default async function ({ open, given }) {
  const page = await open();
  await page.goto(given.path);
  const seen = await page.$$eval("#objects-table tr", (rows) => rows.map((row) => [...row.children].map((cell) => cell.textContent.trim())));
  const [download] = await Promise.all([page.waitForEvent("download"), page.locator('[data-save="objects.csv"]').click()]);
  return { seen, file: await readFile(await download.path(), "utf8") };
}
