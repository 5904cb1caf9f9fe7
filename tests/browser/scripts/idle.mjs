/** An open page that nobody uses says so with what it asks by itself, until somebody moves, types or scrolls. */
import { writeFileSync } from "node:fs";

export default async function ({ open, given }) {
  const seen = {};
  for (const [name, path] of Object.entries(given.paths)) {
    const page = await open();
    await page.clock.install();
    await page.clock.pauseAt(Date.now() + 60000);
    await page.goto(path);
    /** Whether what the page asked last, of each address, was asked idle. */
    let asked = {};
    page.on("request", (request) => {
      const headers = request.headers();
      if (headers["syncwatch-part"]) asked[`${headers["syncwatch-part"]} ${new URL(request.url()).pathname}`] = headers["syncwatch-idle"] === "1";
    });
    const after = async (passed) => {
      for (let at = 0; at < passed; at += 5000) {
        const done = page.waitForEvent("requestfinished", { timeout: 5000 }).catch(() => null);
        await Promise.all([done, page.clock.runFor(5000)]);
        await page.waitForTimeout(80);
      }
      const last = asked;
      asked = {};
      return Object.values(last);
    };
    await page.mouse.move(600, 450);
    const told = { used: await after(10000), unused: await after(60000).then(() => after(10000)) };
    await page.evaluate(() => { document.querySelector("main").style.paddingTop = "90px"; });
    told.moved_by_itself = await after(10000);
    for (const [use, act] of Object.entries({
      pointer: () => page.mouse.move(620, 470), key: () => page.keyboard.press("ArrowDown"), wheel: () => page.mouse.wheel(0, 40),
    })) {
      await after(65000);
      await act();
      told[use] = await after(10000);
    }
    seen[name] = told;
    await page.context().close();
  }
  const page = await open();
  await page.clock.install();
  await page.clock.pauseAt(Date.now() + 60000);
  await page.goto(given.paths.users);
  const rows = await page.locator("#rows > tr").count();
  writeFileSync(given.ready, "");
  const ended = page.locator("#banner b");
  for (let tries = 0; tries < 100 && !(await ended.count()); tries += 1) { await page.clock.runFor(5000); await page.waitForTimeout(100); }
  const out = { banner: await page.locator("#banner").textContent(), kept: (await page.locator("#rows > tr").count()) === rows && rows > 0 };
  await page.goto(given.paths.users);
  return { seen, out, sent_to: await page.locator(".notice").textContent() };
}
