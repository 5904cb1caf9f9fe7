/** C34: rows change twenty times a second while somebody reads: nothing that they hold is taken away. */
export default async function ({ open, given }) {
  const page = await open({ viewport: { width: 1100, height: 700 } });
  await page.addInitScript(() => { document.addEventListener("DOMContentLoaded", () => { document.body.dataset.every = "400"; }); });
  await page.goto(given.path);
  const order = () => page.$$eval("#rows > tr", (rows) => rows.map((row) => row.id));
  const before = await order();
  const box = page.locator('thead input[name="user"]');
  await page.evaluate(() => { document.querySelector(".scroll").scrollTop = 120; document.querySelector(".scroll").scrollLeft = 60; });
  const cell = page.locator("#rows .full.mono").nth(3);
  await cell.evaluate((element) => { const range = document.createRange(); range.setStart(element.firstChild, 0); range.setEnd(element.firstChild, 20); getSelection().removeAllRanges(); getSelection().addRange(range); });
  const selected = await page.evaluate(() => getSelection()?.toString());
  await page.waitForFunction(() => document.querySelectorAll("#rows > tr.changed").length > 0, null, { timeout: 20000 });
  await page.waitForTimeout(2500);
  const still_selected = await page.evaluate(() => getSelection()?.toString());
  const scroll = await page.evaluate(() => [document.querySelector(".scroll").scrollTop, document.querySelector(".scroll").scrollLeft]);
  const pill = await page.waitForSelector("[data-show-new]", { timeout: 20000 }).then((found) => found.textContent());
  const unmoved = JSON.stringify(await order()) === JSON.stringify(before);
  await page.evaluate(() => getSelection().removeAllRanges());
  await page.locator("#columns-menu > summary").click();
  await page.waitForTimeout(1500);
  const menu_open = await page.locator("#columns-menu[open]").count();
  await page.keyboard.press("Escape");
  await box.focus();
  for (const letter of "qzx") { await page.keyboard.press(letter); await page.waitForTimeout(250); }
  const typed = await box.inputValue();
  const caret = await box.evaluate((input) => input.selectionStart);
  await box.fill("");
  await page.waitForTimeout(1200);
  const focused = await page.evaluate(() => document.activeElement?.getAttribute("name"));
  await page.waitForSelector("[data-show-new]", { timeout: 20000 });
  await page.locator("[data-show-new]").click();
  await page.waitForFunction((first) => document.querySelector("#rows > tr")?.id !== first, before[0]);
  return { selected, still_selected, scroll, pill, unmoved, menu_open, typed, caret, focused, shown: (await order()).length };
}
