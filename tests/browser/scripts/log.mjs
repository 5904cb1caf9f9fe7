/** The log viewer over 4,000 lines: a window that moves, keys that look further, links that work without a script. */
import { follow } from "../steps.mjs";

export default async function ({ open, given }) {
  const page = await open();
  const state = () => page.evaluate(() => {
    const rows = [...document.querySelectorAll("#log-lines tr[id^=line-]")].map((row) => Number(row.id.slice(5)));
    return { count: rows.length, first: rows[0], last: rows.at(-1), sorted: rows.every((row, at) => !at || row > rows[at - 1]), lost: document.querySelectorAll("#log-lines tr.lost").length, place: document.querySelector("#log-place").textContent, framed: ["x", "width"].map((name) => Number(document.querySelector(".log-view")?.getAttribute(name))) };
  });
  await page.goto(given.path);
  const counts = await page.$$eval(".checks label", (labels) => labels.map((label) => label.textContent.replace(/\s+/g, " ").trim()));
  const windows = [await state()];
  const scroll = async (to) => {
    const before = (await state()).place;
    await page.evaluate((end) => { const log = document.querySelector(".log"); log.scrollTop = end ? log.scrollHeight : 0; }, to);
    await page.waitForFunction((text) => document.querySelector("#log-place").textContent !== text, before);
    await page.waitForTimeout(200); // what else comes with those lines
  };
  while (!windows.at(-1).place.includes("the end") && windows.length < 20) { await scroll(true); windows.push(await state()); }
  await page.locator(".log").evaluate((log) => { log.scrollTop = log.scrollHeight; });
  await scroll(false);
  const back = await state();
  await page.goto(given.path);
  await page.locator(".log").focus();
  const errors = [];
  for (let press = 0; press < 4; press += 1) {
    const before = page.url();
    await page.keyboard.press("e");
    await page.waitForFunction((url) => location.href !== url, before);
    errors.push(await page.evaluate(() => document.activeElement.id));
  }
  await page.goto(`${given.path}?text=busy`);
  const tools = await page.$$eval(".log-tools > :not([hidden])", (all) => all.filter((each) => each.checkVisibility()).map((each) => { const box = each.getBoundingClientRect(); return Math.round(box.top + box.height / 2); }));
  const labels = await page.$$eval(".log-tools legend", (all) => all.map((each) => [each.textContent, each.getBoundingClientRect().width > 20]));
  const crumbs = await page.$$eval(".crumbs li", (all) => all.map((each) => each.textContent));
  const marked = await state();
  const hits = await page.textContent(".hits");
  await follow(page, page.locator('[data-hit="after"]').click());
  const second = { hits: await page.textContent(".hits"), marked: await page.evaluate(() => document.querySelector("tr:target mark")?.textContent), seen: await page.locator("tr:target").isVisible() };
  await page.goto(`${given.path}?text=busy&show=matching`);
  const narrowed = await state();

  const plain = await open({ javaScriptEnabled: false });
  await plain.goto(given.path);
  const walked = [];
  for (;;) {
    walked.push(await plain.textContent("#log-place"));
    const later = plain.locator('#log-ways a[rel="next"]');
    if (!(await later.count())) break;
    await follow(plain, later.click());
  }
  const lost = await plain.locator("tr.lost").count();
  await follow(plain, plain.locator('#log-ways a[rel="prev"]').click());
  const before_end = await plain.textContent("#log-place");
  await plain.goto(`${given.path}?after=1900`);
  const told = (await plain.textContent("tr.lost")).trim();
  const sources = await plain.$$eval("#log-lines tr[id^=line-] td:nth-child(4)", (all) => [...new Set(all.map((each) => each.textContent))].sort());
  await plain.goto(`${given.short}?text=batch`);
  await plain.locator(".log-tools input[name=level][value=error]").check();
  await plain.locator(".log-tools input[name=show]").check();
  await follow(plain, plain.getByRole("button", { name: "Search" }).click());
  const searched = new URL(plain.url()).search;
  await plain.goto(given.short);
  const dropped = await plain.$$eval("tr.dropped", (rows) => rows.map((row) => [row.textContent.trim().split(".")[0], row.previousElementSibling.className, row.nextElementSibling.id]));
  return { tools: [...new Set(tools)].length, labels, crumbs, marked, told, sources, searched, dropped, counts, windows, back, errors, hits, second, narrowed, walked, lost, before_end };
}
