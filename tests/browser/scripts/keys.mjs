/** The keyboard alone: find, rows, job details, columns, search box, going to pages, leaving. */
export default async function ({ open, given }) {
  const page = await open();
  const at = () => page.evaluate(() => document.activeElement?.id || document.activeElement?.tagName);
  await page.goto(given.path);
  await page.keyboard.press("/");
  const find = await at();
  await page.keyboard.press("Escape");
  await page.keyboard.press("f");
  const first_box = await at();
  await page.keyboard.press("Escape");
  await page.keyboard.press("j");
  await page.keyboard.press("j");
  await page.keyboard.press("k");
  await page.keyboard.press("j");
  const second_row = await page.evaluate(() => [...document.querySelectorAll("#rows > tr")].indexOf(document.activeElement));
  const outlined = await page.evaluate(() => getComputedStyle(document.activeElement).outlineWidth);
  await page.keyboard.press("i");
  await page.waitForSelector("dialog[open] .job-body");
  const before = page.url();
  await page.keyboard.press("]");
  await page.waitForFunction((was) => location.href !== was, before);
  await page.keyboard.press("Escape");
  await page.waitForFunction(() => !document.querySelector("dialog[open]"));
  await page.keyboard.press("m");
  const menu = await page.locator("#columns-menu[open]").count();
  await page.keyboard.press("Escape");
  await page.keyboard.press("?");
  const help = await page.locator("dialog.help[open]").count();
  await page.keyboard.press("Escape");
  await page.keyboard.press("g");
  await page.keyboard.press("o");
  await page.waitForURL("**/organizations");
  await page.keyboard.press("Tab");
  const skip = await page.evaluate(() => document.activeElement?.className);
  return { find, first_box, second_row, outlined, menu, help, skip };
}
