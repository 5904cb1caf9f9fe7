/** Job details: the i opens a dialog with its own address; steps, copying, closing, Back; the same as a page. */
import { said } from "../steps.mjs";

export default async function ({ open, given }) {
  const page = await open();
  await page.goto(given.path);
  const list_url = page.url();
  const rows = page.locator("#rows > tr");
  const place_of_row = await page.$$eval("#rows > tr", (all) => all.findIndex((row) => /[1-9]/.test([...row.querySelectorAll("td.num")].at(-2)?.textContent ?? "")));
  const row = rows.nth(Math.max(1, place_of_row));
  await row.locator("[data-job]").click();
  await page.waitForSelector("dialog[open] .job-body");
  const focused = await page.evaluate(() => document.activeElement?.getAttribute("aria-label"));
  const place = await page.textContent("[data-place]");
  const job_url = page.url();
  const heard = page.waitForFunction(() => {
    if (document.querySelector("#say")?.textContent !== "Link copied") return null;
    const box = document.querySelector(".toast").getBoundingClientRect();
    return { on_top: !!document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2)?.closest(".toast"), heard: !!document.querySelector("#say").closest("dialog[open]") };
  });
  await page.locator('dialog [data-what="Link"]').click();
  const toast = await (await heard).jsonValue();
  const link = new URL(await page.evaluate(() => navigator.clipboard.readText()));
  const run = await page.textContent("dialog .grid-facts dd");
  const issues = await page.evaluate(() => [document.querySelectorAll("dialog #issues tbody tr").length, document.querySelector("dialog #issues .small")?.textContent]);
  const show = page.locator('dialog .grid-facts a[href^="#"]').first();
  const shown = (await show.count()) ? await show.click().then(() => page.waitForTimeout(200)).then(() => page.evaluate(() => [!!document.querySelector("#job[open]"), location.hash])) : null;
  const matches = await page.textContent(".matches b");
  const terms = await page.$$eval("dialog .grid-facts dt", (names) => names.map((name) => name.textContent));
  const headings = await page.$$eval("dialog h3", (names) => names.map((name) => name.textContent));
  await page.locator('dialog [data-step="next"]').click();
  await page.waitForFunction((before) => location.href !== before, job_url);
  const stepped = page.url();
  const marked = await page.locator("#rows > tr.chosen").count();
  for (let tab = 0; tab < 40; tab += 1) await page.keyboard.press("Tab");
  const kept_inside = await page.evaluate(() => !!document.activeElement?.closest("dialog") || document.activeElement === document.body);
  await page.goBack();
  await page.waitForFunction(() => !document.querySelector("dialog[open]"));
  const after_back = page.url();
  const returned = await page.evaluate(() => document.activeElement?.getAttribute("aria-label"));
  await page.goto(job_url);
  const standing = await page.textContent("h1");
  const told = await said(page, "Exception", page.locator('[aria-label="Copy Exception"]').click());
  const exception = await page.evaluate(() => navigator.clipboard.readText());
  await said(page, "ticket", page.locator('[data-what="Text for the ticket"]').click());
  const ticket = await page.evaluate(() => navigator.clipboard.readText());
  return { link: link.href, nth: Math.max(1, place_of_row) + 1, shown, toast, run, issues, matches, list_url, focused, place, job_url, terms, headings, stepped, marked, kept_inside, after_back, returned, standing, exception, said: told, ticket };
}
