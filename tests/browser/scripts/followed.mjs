/** A log that is followed while its session ends: what the page says in the end, and what a new look at it says. */
import { writeFile } from "node:fs/promises";

export default async function ({ open, given }) {
  const page = await open();
  let failed = 0;
  if (given.fails) await page.route((url) => url.searchParams.get("after") === given.fails, (route) => (failed++ ? route.continue() : route.abort()));
  await page.goto(given.path);
  const look = () => page.evaluate(() => {
    const text = (selector) => document.querySelector(selector)?.textContent.replace(/\s+/g, " ").trim();
    return {
      heading: text("#log-heading"), status: text("#log-status"), facts: text("#log-facts"), foot: text("#log-place"),
      rows: [...document.querySelectorAll("#log-lines > tr")].map((row) => row.id || row.className), levels: text(".checks"),
    };
  });
  await page.evaluate(() => { window.same = true; });
  const before = await look();
  const steps = [];
  let asked = 0;
  page.on("request", (request) => { if (new URL(request.url()).pathname === new URL(page.url()).pathname) asked += 1; });
  for (const [ready, selector, words] of given.steps) {
    await writeFile(ready, "");
    await page.waitForFunction(([at, text]) => document.querySelector(at)?.textContent.replace(/\s+/g, " ").includes(text), [selector, words], { timeout: 60000 });
    steps.push(await look());
  }
  const same = await page.evaluate(() => window.same ?? false);
  const done = asked;
  await page.waitForResponse((answer) => new URL(answer.url()).pathname === "/fresh", { timeout: 30000 });
  await page.waitForResponse((answer) => new URL(answer.url()).pathname === "/fresh", { timeout: 30000 });
  const asked_on = asked - done;
  await page.reload();
  return { before, steps, same, failed, asked_on, reloaded: await look() };
}
