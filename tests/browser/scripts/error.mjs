/** A page that is not there: the id of the request is copied by a button. */
import { said } from "../steps.mjs";

export default async function ({ open }) {
  const page = await open();
  const answer = await page.goto("/nowhere");
  const told = await said(page, "", page.getByRole("button", { name: "Copy Request id" }).click());
  const fresh = await page.textContent("#fresh span");
  await page.setViewportSize({ width: 390, height: 800 });
  await page.getByLabel("Menu", { exact: true }).click();
  const menu = await page.locator("details[open] .menu-pop a").allTextContents();
  return { fresh, menu, status: answer.status(), id: answer.headers()["x-request-id"], said: told, copied: await page.evaluate(() => navigator.clipboard.readText()) };
}
