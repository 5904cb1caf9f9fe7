/** Every number of the Overview opens the list that proves it. */
export default async function ({ open }) {
  const page = await open();
  await page.goto("/");
  const shown = await page.$$eval(".tally a.big", (all) => all.map((each) => [each.getAttribute("href"), each.textContent]));
  const cards = await page.$$eval(".cards li", (all) => all.slice(0, 3).map((each) => [each.querySelector("a").getAttribute("href"), each.querySelector(".nums b").textContent]));
  const failures = await page.$$eval("#newest th time", (all) => all.map((each) => each.getAttribute("datetime")));
  const chart = await page.locator("#hours-chart canvas").count();
  const totals = await page.$$eval(".legend b", (all) => all.map((each) => each.textContent));
  await page.locator("[data-as-table]").click();
  const table = await page.locator("#hours-table").isVisible();
  const proved = [];
  for (const [href, number] of [...shown, ...cards]) {
    await page.goto(href);
    proved.push([href, number, (await page.textContent(".matches b"))?.trim()]);
  }
  return { proved, failures, chart, totals, table };
}
