/** C07: a web page and 900 lines as the exception: text in the row, whole in the dialog, copied byte for byte. */
import { said } from "../steps.mjs";

export default async function ({ open, given }) {
  const page = await open();
  await page.goto(given.path);
  const row = page.locator("#rows > tr", { hasText: "<!DOCTYPE" }).first();
  const height = (await row.boundingBox())?.height;
  const other = (await page.locator("#rows > tr").first().boundingBox())?.height;
  const alive = await page.locator("#rows h1, #rows a[href='/caldav/57/']").count();
  await said(page, "Exception copied", row.locator('[aria-label="Copy Exception"]').click());
  const from_row = await page.evaluate(() => navigator.clipboard.readText());
  await row.locator(".full.mono").focus();
  const tip = await page.textContent("#tip");
  await page.keyboard.press("Escape");
  const tip_closed = (await page.locator("#tip").count()) === 0;
  await row.locator("[data-job]").click();
  await page.waitForSelector("#exception-text");
  const shown = await page.textContent("#exception-text");
  await page.evaluate(async () => { document.querySelector("#toasts").replaceChildren(); await navigator.clipboard.writeText("nothing yet"); });
  await said(page, "Exception copied", page.locator('dialog [aria-label="Copy Exception"]').click());
  const from_dialog = await page.evaluate(() => navigator.clipboard.readText());
  return { height, other, alive, from_row, from_dialog, shown_length: shown?.length, tip: tip?.slice(0, 40), tip_closed };
}
