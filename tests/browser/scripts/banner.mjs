/** The link of a banner whose words change: whether it keeps the focus, look after look. */
import { writeFile } from "node:fs/promises";

export default async function ({ open, given }) {
  const page = await open();
  await page.goto(given.path);
  await page.locator("#banner a").focus();
  const kept = [];
  for (const [ready, words] of given.steps) {
    await writeFile(ready, "");
    await page.waitForFunction((text) => document.querySelector("#banner")?.textContent.includes(text), words);
    kept.push(await page.evaluate(() => document.activeElement?.matches("#banner a")));
  }
  return { kept };
}
