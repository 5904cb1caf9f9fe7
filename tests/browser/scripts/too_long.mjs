/** A log that is followed grows too long to be read: its page says so, keeps its facts up to date and offers the file. */
import { writeFile } from "node:fs/promises";

export default async function ({ open, given }) {
  const page = await open();
  await page.goto(given.path);
  const lines = await page.locator("#log-lines tr[id^=line-]").count();
  await writeFile(given.ready, "");
  await page.waitForSelector("#too-long");
  await page.waitForLoadState();
  const count = () => page.textContent("#log-facts dd");
  const before = await count();
  await writeFile(given.again, "");
  await page.waitForFunction((text) => document.querySelector("#log-facts dd").textContent !== text, before);
  const [download] = await Promise.all([page.waitForEvent("download"), page.locator("#too-long [data-download]").click()]);
  return { lines, before, after: await count(), said: (await page.textContent("#too-long")).replace(/\s+/g, " ").trim(), file: download.suggestedFilename(), tools: await page.locator(".log-tools, .log").count() };
}
