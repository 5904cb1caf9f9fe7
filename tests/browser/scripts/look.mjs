/** A page as it is: banner, freshness, text of the first row and whether markup in it lives. */
export default async function ({ open, given }) {
  const page = await open();
  await page.goto(given.path);
  const text = async (selector) => (await page.locator(selector).count()) ? (await page.textContent(selector))?.replace(/\s+/g, " ").trim() : null;
  const heights = await page.$$eval("#rows > tr", (rows) => [...new Set(rows.map((row) => Math.round(row.getBoundingClientRect().height)))]);
  return { banner: await text("#banner"), fresh: await text("#fresh"), tone: await page.getAttribute("#fresh", "class"), heights, alive: await page.locator("#rows b, #rows img, #rows script").count(), first: await text("#rows th a") };
}
