/** Whether a box offers its presets also when the one just left holds a text that is longer than it. */
export default async function ({ open, given }) {
  const page = await open();
  await page.goto(given.path);
  const left = page.locator(`#box-${given.left}`);
  await left.click();
  await left.press("End");
  const longer = await left.evaluate((box) => box.scrollWidth > box.clientWidth);
  await page.locator(`#box-${given.next}`).click();
  await page.evaluate(() => new Promise((seen) => requestAnimationFrame(() => requestAnimationFrame(seen)))); // scroll events come before a frame
  return { longer, offered: await page.locator("#suggestions button").count() };
}
