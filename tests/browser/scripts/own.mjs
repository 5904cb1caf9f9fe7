/** The end user: one page of itself, and nothing else. */
export default async function ({ open, given }) {
  const page = await open();
  await page.goto("/");
  const home = new URL(page.url()).pathname;
  const nav = await page.$$eval(".nav a", (all) => all.map((each) => each.textContent));
  const heading = await page.textContent("h1");
  const chain = await page.$$eval(".chain b", (all) => all.map((each) => each.textContent));
  const advice = await page.locator("#todo-title").count();
  await page.goto(`${home}/issues`);
  const issues = await page.$$eval("thead tr.titles th", (cells) => cells.map((cell) => cell.textContent?.trim()));
  const elsewhere = {};
  for (const path of ["/organizations", "/users", "/sessions", "/issues", given.other_user, given.organization]) { await page.goto(path); elsewhere[path] = new URL(page.url()).pathname; }
  const foreign = (await page.goto(given.other_job))?.status();
  return { home, nav, heading, chain, advice, issues, elsewhere, foreign };
}
