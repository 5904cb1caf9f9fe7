/** A page that gets no answer any more grows old and says so; one whose reader was signed out says that, and asks no more. */
export default async function ({ open, given }) {
  const page = await open();
  await page.clock.install();
  await page.goto(given.path);
  const told = async () => ({
    mark: [await page.locator("#fresh span").first().textContent(), await page.locator("#fresh").evaluate((mark) => mark.className)],
    banner: await page.locator("#banner").textContent(),
    gone: await page.locator(".gone-word").count(),
  });
  const before = await told();
  await page.route("**/*", (route) => route.abort());
  await page.clock.runFor(15000);
  const soon = await told();
  await page.clock.runFor(60000);
  const later = await told();
  await page.unroute("**/*");
  await page.clock.runFor(6000);
  await page.waitForFunction((mark) => document.querySelector("#fresh span").textContent === mark, before.mark[0]);
  const again = await told();
  await page.context().clearCookies();
  await page.clock.runFor(6000);
  await page.waitForSelector("#banner a[href='/sign-in']");
  const out = await told();
  let asked = 0;
  page.on("request", () => { asked += 1; });
  await page.clock.runFor(30000);
  return { before, soon, later, again, out, asked };
}
