/** What a search box for times offers, in a browser of another zone than the page's. */
export default async function ({ open, given }) {
  const page = await open({ timezoneId: given.browser });
  await page.goto(given.path);
  await page.locator("thead input[name=run]").focus();
  return { offered: await page.$$eval(".suggest button", (all) => all.map((button) => button.dataset.value)) };
}
