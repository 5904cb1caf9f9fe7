/** An organization of which nothing was reported: how its agent is connected, on a phone too, and without JavaScript. */
import { said } from "../steps.mjs";

export default async function ({ open, given }) {
  const page = await open({ viewport: { width: 390, height: 844 } });
  await page.goto(given.path);
  const title = await page.textContent(".state h2");
  await page.locator(".connect summary").click();
  await said(page, "copied", page.locator(".connect [data-copy]").click());
  const copied = await page.evaluate(() => navigator.clipboard.readText());
  const sideways = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  const plain = await open({ javaScriptEnabled: false });
  await plain.goto(given.path);
  await plain.locator(".connect summary").click();
  return { title, copied, sideways, steps: await plain.locator(".connect li").allInnerTexts() };
}
