/** Every number of the Overview opens the list that proves it. */
export default async function ({ open }) {
  const page = await open();
  await page.goto("/");
  const shown = await page.$$eval(".tally a.big", (all) => all.map((each) => [each.getAttribute("href"), each.textContent]));
  const bar = await page.$$eval("[aria-label=Organizations] .bar rect", (all) => all.map((each) => [each.getAttribute("class"), Number(each.getAttribute("width"))]));
  const fresh = await page.$$eval(".tally .sub a", (all) => all.map((each) => [each.getAttribute("href"), each.textContent.split(" ")[0]]));
  const silence = await page.$$eval("#silence li", (all) => Object.fromEntries(all.map((each) => [each.querySelector("h3").textContent, [...each.querySelectorAll("a")].map((link) => [link.getAttribute("href"), link.textContent.split(" ")[0]])])));
  const marks = await page.$$eval("#chart-marks li", (all) => all.map((each) => each.textContent));
  const cause = await page.$eval("#causes .btn", (link) => [link.getAttribute("href"), /\d+/.exec(link.textContent)?.[0]]);
  const cards = await page.$$eval(".cards li", (all) => all.slice(0, 3).flatMap((each) => [...each.querySelectorAll(".nums b a, .facts-line a")].map((link) => [link.getAttribute("href"), link.textContent.split(" ")[0]])));
  const line = await page.$$eval("#kinds-sum a", (all) => all.map((each) => [each.getAttribute("href"), each.textContent.split(" ")[0]]));
  const failures = await page.$$eval("#newest th time", (all) => all.map((each) => each.getAttribute("datetime")));
  await page.waitForSelector("#hours-chart canvas"); // drawn once the fonts are there
  const chart = await page.locator("#hours-chart canvas").count();
  const totals = await page.$$eval(".legend b", (all) => all.map((each) => each.textContent));
  const on_one_line = await page.$$eval(".tally .big", (all) => all.every((big) => {
    const [was, height] = [big.textContent, big.offsetHeight];
    big.textContent = "1,284,907";
    const same = big.offsetHeight === height;
    big.textContent = was;
    return same;
  }));
  await page.locator("[data-as-table]").click();
  const table = await page.locator("#hours-table").isVisible();
  const proved = [];
  const silent = [...silence["Users late"], ...silence["Agents silent"].slice(1), ...silence["Reports incomplete"]];
  for (const [href, number] of [...shown, ...fresh, cause, ...silent, ...cards, ...line]) {
    await page.goto(href);
    proved.push([href, number, (await page.textContent(".matches b"))?.trim()]);
  }
  const [agents_href, agents] = silence["Agents silent"][0];
  await page.goto(agents_href);
  const listed = await page.$$eval("#agent-rows tr", (rows) => rows.map((row) => [row.querySelector("th").textContent, row.querySelector("td").textContent.trim()]));
  const late = await page.$eval("#agent-rows .num a", (link) => [link.getAttribute("href"), link.textContent]);
  await page.goto(silence["Monitoring behind"][0][0]);
  const partitions = await page.$$eval("#partition-rows tr", (rows) => rows.map((row) => row.children[2].textContent.trim()));
  await page.goto(late[0]);
  proved.push([...late, (await page.textContent(".matches b"))?.trim()]);
  return { bar, marks, agents, listed, partitions, proved, failures, chart, totals, table, on_one_line };
}
