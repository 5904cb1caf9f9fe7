/** Job details: the i opens a dialog with its own address; steps, copying, closing, Back; the same as a page. */
export default async function ({ open, given }) {
  const page = await open();
  await page.goto(given.path);
  const list_url = page.url();
  const rows = page.locator("#rows > tr");
  await rows.nth(1).locator("[data-job]").click();
  await page.waitForSelector("dialog[open] .job-body");
  const focused = await page.evaluate(() => document.activeElement?.getAttribute("aria-label"));
  const place = await page.textContent("[data-place]");
  const job_url = page.url();
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
  await page.locator('[aria-label="Copy Exception"]').click();
  await page.waitForSelector(".toast");
  const exception = await page.evaluate(() => navigator.clipboard.readText());
  const said = await page.textContent(".toast");
  await page.locator('[data-what="Text for the ticket"]').click();
  await page.waitForFunction(() => document.querySelector(".toast")?.textContent?.includes("ticket"));
  const ticket = await page.evaluate(() => navigator.clipboard.readText());
  return { list_url, focused, place, job_url, terms, headings, stepped, marked, kept_inside, after_back, returned, standing, exception, said, ticket };
}
