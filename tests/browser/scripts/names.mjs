/** Names that are cut: whole on the focus of their link, and under the mouse with what stands below them. */
export default async function ({ open, given }) {
  const page = await open();
  await page.goto(given.path);
  await page.locator("#rows > tr").first().locator("td a.name").focus();
  const organization = await page.locator("#tip").textContent();
  await page.keyboard.press("Escape");
  const cut = page.locator("#rows > tr > th").nth(await page.$$eval("#rows > tr > th", (heads) => heads.findIndex((head) => [...head.querySelectorAll(".line, .sub")].some((line) => line.scrollWidth > line.clientWidth + 1))));
  await cut.hover();
  const person = await page.locator("#tip").textContent();
  return { organization, person, lines: await cut.locator(".line, .sub").allTextContents() };
}
