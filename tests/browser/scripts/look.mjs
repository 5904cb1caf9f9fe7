/** A page as it is: banner and freshness. */
export default async function ({ open, given }) {
  const page = await open();
  await page.goto(given.path);
  const text = async (selector) => (await page.locator(selector).count()) ? (await page.textContent(selector))?.replace(/\s+/g, " ").trim() : null;
  return { banner: await text("#banner"), fresh: await text("#fresh"), tone: await page.getAttribute("#fresh", "class") };
}
