/** n and p over the matches of a search, all lines or only these: the counter, the arrows, the line and the address go along. */
import { follow, said } from "../steps.mjs";

const LINES = "#log-lines tr[id^=line-]";

export default async function ({ open, given }) {
  const page = await open();
  const state = async (of = page) => of.evaluate(() => {
    const to = (which) => /** @type {HTMLAnchorElement | null} */ (document.querySelector(`[data-hit="${which}"]`))?.hash.slice(6) ?? "";
    const lines = [...document.querySelectorAll("#log-lines [aria-current]")];
    const log = document.querySelector(".log").getBoundingClientRect();
    const line = (lines[0] ?? document.querySelector("#log-lines tr:target"))?.getBoundingClientRect();
    const [tools, bar] = [".log-tools", ".top"].map((part) => document.querySelector(part).getBoundingClientRect());
    return {
      hits: document.querySelector(".hits")?.textContent.trim(), before: to("before"), after: to("after"),
      at: lines.map((each) => each.id.slice(5)),
      seen: !!line && line.top >= Math.max(log.top, bar.bottom) && line.bottom <= Math.min(log.bottom, innerHeight) && tools.top >= bar.bottom,
    };
  });
  const press = async (key, hits) => {
    await page.keyboard.press(key);
    await page.waitForFunction((was) => document.querySelector(".hits").textContent.trim() !== was, hits);
    return state();
  };
  /** The browser goes to the hash once more behind "load"; where line and tools do not come into view, as they stand after a while. */
  const settled = async (of = page) => {
    for (let left = 100; left && !(await state(of)).seen; left -= 1) await of.waitForTimeout(100);
    return state(of);
  };
  /** What the address asks for, in whichever zone. */
  const asked = () => new URL(page.url()).search.replace(/&tz=.*/, "");
  const ways = {};
  for (const show of ["", "&show=matching"]) {
    await page.goto(`${given.path}?text=busy${show}`);
    const walked = [await state()];
    for (const key of ["n", "n", "p", "n", "n", "n"]) walked.push(await press(key, walked.at(-1).hits));
    const end = (await said(page, "", page.keyboard.press("n"))).trim();
    const stands = await state();
    await page.reload();
    const again = await settled();
    await follow(page, page.locator('[data-hit="before"]').click());
    const back = await settled();
    await follow(page, page.getByText("Only matching lines").click());
    ways[show] = { walked, end, stands, again, back, other: await settled(), lines: await page.locator(`${LINES}`).count(), only: new URL(page.url()).searchParams.get("show") };
    await follow(page, page.locator(".checks").getByText("debug").click());
    ways[show].debug = { ...await settled(), levels: await page.$$eval(`${LINES} .lv`, (all) => [...new Set(all.map((each) => each.textContent.trim()))]), asked: asked() };
    await page.locator(".log-tools input[name=text]").fill("busy");
    await follow(page, page.keyboard.press("Enter"));
    ways[show].anew = asked();
  }
  await page.goto(`${given.path}?text=item&at=3001`);
  const middle = await state();
  await page.goto(`${given.path}?text=item&show=matching&at=3001`);
  const narrow = [await state(), await page.locator("#log-lines tr").count()];
  await page.goto(`${given.path}?text=nowhere`);
  const none = await state();
  await page.goto(`${given.path}?text=busy`);
  await follow(page, page.locator('#log-ways a[rel="first"]').click());
  const first = await page.textContent("#log-place");
  const link = await open();
  const stood = async () => ({ seen: (await settled(link)).seen, at: await link.evaluate(() => Math.round(scrollY)) });
  await link.goto(`${given.path}?after=1800#line-2250`);
  await link.waitForFunction(() => document.querySelector(".log").scrollTop > 0);
  await link.waitForTimeout(300);
  const named = [await stood()];
  await link.goto(`${given.path}?after=1800#line-2290`); // the same page: only the hash changes
  await link.waitForTimeout(300);
  named.push(await stood());
  await link.keyboard.press("e");
  await link.waitForURL(/at=2500/);
  named.push(await stood());
  return { named, ways, middle, narrow, none, first };
}
