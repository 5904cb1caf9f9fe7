/** Addresses name the zone of their page: by the menu, a filter, a row, job details, a log line; and opened elsewhere. */
import { follow } from "../steps.mjs";

export default async function ({ open, given }) {
  const page = await open({ timezoneId: given.here });
  const zones = (address) => new URL(address).searchParams.getAll("tz");
  const offsets = (at) => at.$$eval("dialog time", (all) => [...new Set(all.map((time) => time.title.split(" ").at(-1)))]);
  const details = async (at) => { await at.locator("#rows [data-job]").first().click(); await at.waitForSelector("dialog[open] .job-body"); };
  const copied = async (press, what) => {
    await press();
    await page.waitForFunction((said) => document.querySelector("#say").textContent === said, `${what} copied`);
    return page.evaluate(() => navigator.clipboard.readText());
  };
  const named = {};
  await page.goto("/");
  const first = new URL(page.url()).searchParams.get("tz");

  await follow(page, page.locator('.nav [data-go="s"]').click());
  named.menu = zones(page.url());
  await page.locator('thead input[name="status"]').fill("errors");
  await page.locator('thead input[name="status"]').press("Enter");
  await page.waitForFunction(() => document.querySelector(".chip") && location.search.includes("status="));
  named.filtered = zones(page.url());
  await follow(page, page.getByRole("link", { name: "Clear all filters" }).click());
  named.cleared = zones(page.url());
  const list = page.url();
  const run = await page.textContent('#rows > tr time');
  await details(page);
  named.job = zones(page.url());
  const link = await copied(() => page.locator('dialog [data-what="Link"]').click(), "Link");
  named.copied = zones(link);
  await page.goBack();
  await page.waitForFunction(() => !document.querySelector("dialog[open]"));
  const kept = page.url();
  named.back = zones(kept);
  await follow(page, page.locator("#rows a.name").first().click());
  named.row = zones(page.url());
  await page.goto(given.log);
  named.log = zones(page.url());
  await page.keyboard.press("j");
  named.line = zones(await copied(() => page.keyboard.press("l"), "Link to the line"));
  await page.reload();
  named.reloaded = zones(page.url());

  const other = await open({ timezoneId: given.there });
  await other.goto(list);
  const elsewhere = { zone: await other.evaluate(() => document.body.dataset.zone), run: await other.textContent('#rows > tr time') };
  await details(other);
  elsewhere.job = await offsets(other);
  await other.goBack();
  await other.waitForFunction(() => !document.querySelector("dialog[open]"));
  await follow(other, other.locator('.nav [data-go="u"]').click());
  elsewhere.menu = zones(other.url());
  return { first, named, list, kept, run, elsewhere };
}
