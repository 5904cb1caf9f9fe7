/** Newest failures of the Overview: a new one is counted in a pill and moves nothing until it is asked for. */
import { writeFile } from "node:fs/promises";

export default async function ({ open, given }) {
  const page = await open();
  await page.addInitScript(() => { document.addEventListener("DOMContentLoaded", () => { document.body.dataset.every = "400"; }); });
  await page.goto("/");
  const keys = () => page.$$eval("#newest > tr", (rows) => rows.map((row) => row.id));
  const before = await keys();
  const tallies = await page.textContent("#tallies");
  await writeFile(given.ready, "");
  const pill = await page.waitForSelector("#newest-new .pill");
  await page.waitForFunction((text) => document.querySelector("#tallies").textContent !== text, tallies);
  const words = await pill.textContent();
  const unmoved = JSON.stringify(await keys()) === JSON.stringify(before);
  await page.keyboard.press("r");
  const after = await keys();
  return { words, unmoved, moved_on: after[1] === before[0], gone: await page.locator("#newest-new .pill").count() };
}
