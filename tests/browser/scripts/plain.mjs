/** Without JavaScript: filter, sort, page, count tabs, picklist, export, job details. */
import { readFile } from "node:fs/promises";
import { follow } from "../steps.mjs";

export default async function ({ open, given }) {
  const page = await open({ javaScriptEnabled: false });
  await page.goto(given.statistics);
  const links = () => page.locator("#rows > tr").count();
  const first = await links();
  await page.locator('thead input[name="failures"]').fill(">=1");
  await follow(page, page.locator('thead input[name="failures"]').press("Enter"));
  const filtered = { rows: await links(), url: page.url(), chips: await page.locator(".chip").count() };
  await follow(page, page.locator('a[data-sort="failures"]').click());
  const sorted = await page.locator('th[aria-sort="descending"]').count();
  await follow(page, page.locator('.counts button[value="finished"]').click());
  const toggled = new URL(page.url()).searchParams.get("status");
  await page.goto(given.statistics);
  await follow(page, page.locator('a[rel="next"]').click());
  const second_page = await links();
  await follow(page, page.locator('a[rel="prev"]').click());
  const back = await links();
  await page.locator("#columns-menu > summary").click();
  await page.locator('.picklist input[value="objects"]').uncheck();
  await follow(page, page.locator(".picklist .primary").click());
  const hidden = await page.locator('a[data-sort="objects"]').count();
  await page.locator("#columns-menu > summary").click();
  await follow(page, page.locator('.picklist button[name="reset"]').click());
  const [download] = await Promise.all([page.waitForEvent("download"), page.locator("[data-export]").click()]);
  const csv = (await readFile(await download.path(), "utf8")).length;
  await follow(page, page.locator("[data-job]").first().click());
  const job = await page.locator("h1").textContent();
  const dead = [];
  const look = async (within) => dead.push(...await page.locator(within).locator("kbd, .grip, [data-help], [data-copy], [data-wrap]").evaluateAll((all) => all.filter((each) => each.checkVisibility()).map((each) => each.textContent || each.className)));
  await page.goto(`${page.url()}/log`);
  const log = await page.locator("#log-lines tr").count();
  await look("body");
  await page.goto(given.statistics);
  await page.locator("#columns-menu > summary").click();
  await look("body");
  await page.locator("details.who > summary").click();
  await look("body");
  const out = await page.locator("details.who .row").filter({ hasText: "Sign out" }).isVisible();
  await page.goto("/");
  const table = await page.locator("#hours-table").isVisible();
  return { first, filtered, sorted, toggled, second_page, back, hidden, csv, job, dead, log, out, table };
}
