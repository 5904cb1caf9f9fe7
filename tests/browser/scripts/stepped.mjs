/** A step to the next job while the module that keeps up with the one before is still on its way. */
export default async function ({ open, given }) {
  const page = await open();
  let bring = () => undefined;
  const brought = new Promise((resolve) => { bring = resolve; });
  await page.route("**/running.js*", async (route) => { await brought; await route.continue(); });
  await page.goto(given.path);
  const asked = page.waitForRequest(/running\.js/);
  await page.locator(given.opener).first().click();
  await asked;
  const first = page.url();
  await page.keyboard.press("]");
  await page.waitForFunction((url) => location.href !== url, first);
  const body = () => page.locator("#job .job-body").evaluate((each) => each.textContent.replace(/\s+/g, " ").trim());
  const before = await body();
  const asks = [];
  page.on("request", (request) => asks.push(new URL(request.url()).pathname));
  const came = page.waitForResponse(/running\.js/);
  bring();
  await came;
  for (let looks = 0; looks < 2; looks += 1) await page.waitForResponse((answer) => new URL(answer.url()).pathname === "/fresh");
  return { before, after: await body(), pill: await page.locator(".job-pill").count(), asks };
}
