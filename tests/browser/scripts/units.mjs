/** On a phone: the counts in rows with the words behind them, by list. */
export default async function ({ open, given }) {
  const page = await open({ viewport: { width: 390, height: 800 } });
  const read = {};
  for (const path of given.paths) {
    await page.goto(path);
    const texts = await page.$$eval("#rows .unit", (units) => units.filter((each) => each.checkVisibility()).map((each) => each.parentElement.innerText.trim()));
    read[path] = [...new Set(texts)];
  }
  const foot = await page.goto(`${given.paths[0]}?limit=1`).then(() => page.textContent(".foot"));
  return { read, foot };
}
