/** The chart of the Overview over a longer span: what is chosen stands in the address, and what the pointer tells in the table. */
export default async function ({ open }) {
  const page = await open();
  await page.addInitScript(() => { document.addEventListener("DOMContentLoaded", () => { document.body.dataset.every = "400"; }); });
  await page.goto("/?kinds=all&tz=UTC");
  await page.locator("[aria-label='Span of the chart']").getByText("7 days").click();
  await page.waitForURL(/hours=168/);
  await page.waitForSelector("#hours-chart canvas");
  const title = await page.locator("#hours-title").textContent();
  const bars = await page.$$eval("#hours-rows tr", (rows) => rows.map((row) => [row.dataset.words, row.lastElementChild.textContent]));
  const over = await page.locator("[data-pane=all] .u-over").boundingBox();
  const told = [];
  for (const at of [0, 13, 26]) {
    await page.mouse.move(over.x + (over.width * (at + 0.5)) / bars.length, over.y + over.height / 2);
    const tip = page.locator(".chart-tip > div").first();
    await tip.waitFor();
    told.push([await tip.locator("b").textContent(), await tip.locator("span").textContent()]);
  }
  await page.mouse.move(5, 5);
  await page.waitForResponse((answer) => answer.url().includes("hours=168") && answer.request().headers()["syncwatch-part"] === "live");
  await page.waitForTimeout(300);
  const rows = await page.locator("#hours-rows tr").count();
  return { title, bars, told, rows, query: new URL(page.url()).search };
}
