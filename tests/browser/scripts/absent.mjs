/** A job whose report never arrived: what a click on its link says, and what its own page says. */
import { said } from "../steps.mjs";

export default async function ({ open, given }) {
  const page = await open();
  await page.goto("/issues");
  const link = page.locator("#rows a[data-job]").first();
  await link.evaluate((each, path) => each.setAttribute("href", path), given.path);
  const toast = await said(page, "session", link.click());
  await page.goto(given.path);
  return { toast, told: await page.locator(".state p").first().innerText() };
}
