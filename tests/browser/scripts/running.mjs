/** Job details of a session that runs, as a page or as the dialog over a list: what changes in them, and what does not move. */
import { writeFile } from "node:fs/promises";

export default async function ({ open, given }) {
  const page = await open();
  await page.goto(given.path);
  if (given.opener) await page.locator(given.opener).first().click();
  const root = given.opener ? "#job" : ".job-page";
  await page.waitForSelector(`${root} .job-body[data-coming]`);
  await page.evaluate(() => { window.same = true; });
  const place = (selector) => page.locator(`${root} ${selector}`).first();
  const top = (selector) => place(selector).evaluate((each) => each.getBoundingClientRect().top);
  const facts = () => place(".grid-facts").innerText();
  const has = (text) => page.waitForFunction(([at, words]) => document.querySelector(`${at} .grid-facts`)?.innerText.includes(words), [root, text], { timeout: 30000 });
  const pill = place(".job-pill .pill");
  const lines = "[aria-labelledby=log-title] .log";

  await page.locator(`${root} .job-head details.menu > summary`).click();
  await place(lines).hover();
  const stood = await top(lines);
  await writeFile(given.steps[0], "");
  await has(given.changes);
  const in_place = { moved: (await top(lines)) - stood, pill: await pill.count(), menu: await place(".job-head details[open]").count(), focus: await page.evaluate(() => document.activeElement?.tagName) };
  await page.locator(`${root} .job-head details.menu > summary`).click();

  await page.evaluate((at) => { document.querySelector(`${at} .job-scroll`).scrollTo(0, 0); scrollTo(0, 0); }, root);
  await place("#objects-table thead").hover();
  const stands = await top("#objects-table");
  await writeFile(given.steps[1], "");
  await pill.waitFor({ timeout: 30000 });
  const waits = { moved: (await top("#objects-table")) - stands, said: (await facts()).includes(given.detail), words: await pill.textContent() };
  await page.screenshot({ path: given.picture });
  /** What is told at the top of the details and lies under the pill. */
  const covered = () => place(".job-body").evaluate((body) => {
    const pill = body.parentElement.querySelector(".pill").getBoundingClientRect();
    const texts = document.createTreeWalker(body, NodeFilter.SHOW_TEXT);
    const under = [];
    for (let text = texts.nextNode(); text; text = texts.nextNode()) {
      const range = document.createRange();
      range.selectNodeContents(text);
      if ([...range.getClientRects()].some((at) => at.left < pill.right && at.right > pill.left && at.top < pill.bottom && at.bottom > pill.top)) under.push(text.textContent);
    }
    return under;
  });
  const under = [await covered()];
  await page.setViewportSize({ width: 390, height: 844 });
  await page.evaluate((at) => { document.querySelector(`${at} .job-scroll`).scrollTo(0, 0); scrollTo(0, 0); }, root);
  under.push(await covered());
  await page.screenshot({ path: given.picture.replace(".png", "-phone.png") });
  await page.setViewportSize({ width: 1440, height: 900 });
  await page.keyboard.press("r");
  const shown = { said: (await facts()).includes(given.detail), pill: await pill.count() };

  await place(".grid-facts dd").hover();
  await writeFile(given.steps[2], "");
  await pill.waitFor({ timeout: 30000 });
  const held = { now: (await facts()).includes("– now"), ended: (await facts()).includes(given.ended), objects: await page.locator(`${root} #objects-table`).count() };
  await page.mouse.move(1, 1);
  await has(given.ended);
  await pill.waitFor({ state: "detached", timeout: 30000 });
  const agreed = await page.locator(`${root} #objects-table`).count();
  const path = new URL(page.url()).pathname;
  let asked = 0;
  page.on("request", (request) => { if (new URL(request.url()).pathname === path) asked += 1; });
  for (let looks = 0; looks < 2; looks += 1) await page.waitForResponse((answer) => new URL(answer.url()).pathname === "/fresh", { timeout: 30000 });
  const body = () => place(".job-body").evaluate((each) => each.textContent.replace(/\s+/g, " ").trim());
  const last = await body();
  const same = await page.evaluate(() => window.same ?? false);
  const asked_on = asked;
  const ticket = await place('[data-what="Text for the ticket"]').getAttribute("data-copy");
  if (given.opener) {
    await page.goBack();
    await page.waitForFunction(() => !document.querySelector("dialog[open]"));
    await page.locator(given.opener).first().click();
    await page.waitForSelector("#job[open] .job-body");
  } else await page.reload();
  return { under, in_place, waits, shown, held, agreed, last, again: await body(), same, asked_on, ticket };
}
