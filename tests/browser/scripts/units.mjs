/** On a phone: the counts in rows with the words behind them, by list. */
export default async function ({ open, given }) {
  const page = await open({ viewport: { width: 390, height: 800 } });
  const read = {};
  const total = {};
  let alone = 0;
  const count = async () => (await page.locator(".matches").innerText()).replace(/\s+/g, " ");
  for (const path of given.paths) {
    await page.goto(path);
    const texts = await page.$$eval("#rows .unit", (units) => units.filter((each) => each.checkVisibility()).map((each) => each.parentElement.innerText.trim()));
    read[path] = [...new Set(texts)];
    total[path] = await count();
    alone += await page.$$eval("#rows td", (cells) => cells.filter((cell) => cell.checkVisibility() && cell.innerText.trim() === "–").length);
  }
  await page.goto(given.block);
  const block = await page.$$eval("#rows > tr", (rows) => rows.map((row) => {
    const middle = (part) => { const at = row.querySelector(part).getBoundingClientRect(); return at.top + at.height / 2; };
    const cells = [...row.querySelectorAll("td:not(.acts)")].map((cell) => cell.getBoundingClientRect());
    return {
      status: Math.round(Math.abs(middle("a.name") - middle("td.ph1 .st"))),
      beside: cells.filter((at) => at.top < middle("td.acts") && at.bottom > middle("td.acts")).length,
    };
  }));
  const lines = {};
  for (const [path, width] of given.rows.flatMap((each) => [390, 430, 600].map((width) => [each, width]))) {
    await page.setViewportSize({ width, height: 800 });
    await page.goto(path);
    lines[`${width} ${path}`] = await page.$$eval("#rows > tr", (rows) => rows.map((row) => {
      const top = Math.max(...[...row.querySelectorAll(":scope > th, td.ph1")].map((cell) => cell.getBoundingClientRect().bottom));
      return [...row.querySelectorAll("td.ph3")].filter((cell) => cell.checkVisibility()).every((cell) => cell.getBoundingClientRect().top >= top);
    }));
  }
  await page.setViewportSize({ width: 1440, height: 800 });
  await page.goto(given.paths[0]);
  const wide = [await count(), await page.locator(".matches .noun").evaluate((noun) => noun.getBoundingClientRect().width)];
  const foot = await page.goto(`${given.paths[0]}?limit=1`).then(() => page.textContent(".foot"));
  return { read, foot, total, alone, wide, block, lines };
}
