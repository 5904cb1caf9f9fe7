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
  await page.waitForFunction(() => document.querySelectorAll("#rows > tr.changed").length > 0);
  await page.waitForTimeout(2500);
  const still_selected = await page.evaluate(() => getSelection()?.toString());
  await page.keyboard.press("Control+C");
  const copied = await page.evaluate(() => navigator.clipboard.readText());
  const scroll = await page.evaluate(() => [document.querySelector(".scroll").scrollTop, document.querySelector(".scroll").scrollLeft]);
  const pill = await page.waitForSelector("[data-show-new]").then((found) => found.textContent());
  const unmoved = JSON.stringify(await order()) === JSON.stringify(before);
  await page.evaluate(() => getSelection().removeAllRanges());

  const tip = async () => (await page.locator("#tip").allTextContents())[0];
  await page.locator("#rows .full.mono").last().focus();
  const opened = await tip();
  await page.waitForTimeout(1500);
  const still_open = await tip();
  await page.keyboard.press("Escape");

  const expected = await page.$$eval("#rows > tr", (rows) => rows.slice(5, 8).flatMap((row) => [...row.querySelectorAll("a, button, [tabindex='0']")].map((stop) => `${row.id} ${stop.textContent} ${stop.className}`)));
  const stops = [];
  await page.locator("#rows > tr").nth(5).locator("a").first().focus();
  while (stops.length < expected.length) {
    await page.waitForTimeout(500);
    stops.push(await page.evaluate(() => `${document.activeElement.closest("tr")?.id} ${document.activeElement.textContent} ${document.activeElement.className}`));
    await page.keyboard.press("Tab");
  }
  const tabbed = expected.every((stop, at) => stop === stops[at]) || { expected, stops };
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
  await page.waitForSelector("[data-show-new]");
  await page.locator("[data-show-new]").click();
  await page.waitForFunction((first) => document.querySelector("#rows > tr")?.id !== first, before[0]);
  return { selected, still_selected, copied, opened, still_open, tabbed, scroll, pill, unmoved, menu_open, typed, caret, focused, shown: (await order()).length };
}
