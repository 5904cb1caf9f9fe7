/** Job details on a phone: the way out stays in reach, numbers stay whole; and the menu there holds the zones. */
import { follow } from "../steps.mjs";

export default async function ({ open, given }) {
  const page = await open({ viewport: { width: 390, height: 844 } });
  await page.goto(given.path);
  await page.locator("#rows [data-job]").first().click();
  await page.waitForSelector("#job[open] #objects-table");
  await page.locator('#job a[href="#issues"]').click();
  await page.waitForTimeout(300);
  const close = await page.locator("#job [data-close]").boundingBox();
  const foot = await page.locator("#job .job-scroll").boundingBox();
  const lines = await page.$$eval("#job .wrap-x .num", (cells) => [...new Set(cells.map((cell) => {
    const text = document.createRange();
    text.selectNodeContents(cell);
    return new Set([...text.getClientRects()].map((box) => Math.round(box.top))).size;
  }))]);
  const narrow = await page.$$eval("#job .wrap-x tbody td:not(.num)", (cells) => Math.min(...cells.map((cell) => cell.clientWidth)));
  const said = await page.$$eval("#job #issues td.said", (cells) => Math.min(...cells.map((cell) => cell.clientWidth)));
  await page.goBack();
  await page.locator("details.narrow-only > summary").click();
  const rows = await page.$$eval("details.narrow-only .row, details.narrow-only a", (all) => Math.min(...all.map((each) => each.clientHeight)));
  const zones = [];
  for (const zone of ["Asia/Tokyo", "UTC"]) {
    if (zones.length) await page.locator("details.narrow-only > summary").click();
    await follow(page, page.locator(`details.narrow-only button[value="${zone}"]`).click());
    zones.push(await page.evaluate(() => document.body.dataset.zone));
  }
  return { top: close.y, bottom: Math.round(foot.y + foot.height), lines, narrow, said, rows, zones };
}
