/** A page that gets no answer any more grows old and says so; one whose reader was signed out says that, and asks no more. */
export default async function ({ open, given }) {
  const page = await open();
  await page.clock.install();
  await page.clock.pauseAt(Date.now() + 60000); // time passes as the script says, however slow the machine
  await page.goto(given.path);
  const told = async () => ({
    mark: [await page.locator("#fresh span").first().textContent(), await page.locator("#fresh").evaluate((mark) => mark.className)],
    banner: await page.locator("#banner").textContent(),
    gone: await page.locator(".gone-word").count(),
  });
  const until = async (condition) => { for (let tries = 0; tries < 300 && !(await condition()); tries += 1) await page.waitForTimeout(100); };
  /** Every 5 s the page asks, unless it still reads the last answer; which it has a moment after that came. */
  const pass = async (passed) => {
    for (let at = 0; at < passed; at += 5000) {
      const ended = ["requestfinished", "requestfailed"].map((end) => page.waitForEvent(end, { timeout: 5000 }).catch(() => null));
      await Promise.all([Promise.race(ended), page.clock.runFor(5000)]);
      await page.waitForTimeout(80);
    }
  };
  const before = await told();
  await pass(60000); // whoever is not asked gives no answer either: that is no silence
  await page.route("**/*", (route) => route.abort());
  await pass(15000);
  const soon = await told();
  await pass(60000);
  const later = await told();
  await page.locator("#banner a").focus();
  await page.evaluate(() => {
    window.changes = 0;
    new MutationObserver((each) => { window.changes += each.length; }).observe(document.querySelector("#banner"), { subtree: true, childList: true, characterData: true });
  });
  await pass(10000);
  const still = await page.evaluate(() => ({ changes: window.changes, focus: document.activeElement?.matches("#banner a") }));
  await page.unroute("**/*");
  await page.route("**/*", (route) => route.fulfill({ status: 503 }));
  await pass(5000);
  await until(async () => (await told()).banner.includes("cannot"));
  const busy = await told();
  await page.unroute("**/*");
  await pass(5000);
  await until(async () => (await told()).mark[0] === before.mark[0]);
  const again = await told();
  await page.context().clearCookies();
  await pass(5000);
  await until(async () => (await told()).mark[0] === "signed out");
  const out = await told();
  let asked = 0;
  page.on("request", () => { asked += 1; });
  await page.clock.runFor(30000);
  await page.waitForTimeout(500);
  return { before, soon, later, still, busy, again, out, asked };
}
