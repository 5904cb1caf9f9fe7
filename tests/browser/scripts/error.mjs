/** A page that is not there: the id of the request is copied by a button. */
export default async function ({ open }) {
  const page = await open();
  const answer = await page.goto("/nowhere");
  await page.getByRole("button", { name: "Copy Request id" }).click();
  const said = await page.locator("#toasts .toast").textContent();
  const fresh = await page.textContent("#fresh span");
  await page.setViewportSize({ width: 390, height: 800 });
  await page.getByLabel("Menu", { exact: true }).click();
  const menu = await page.locator("details[open] .menu-pop a").allTextContents();
  return { fresh, menu, status: answer.status(), id: answer.headers()["x-request-id"], said, copied: await page.evaluate(() => navigator.clipboard.readText()) };
}
