/** Pages that are open already: what their marks and banners say once something has changed, and once it is over. */
import { writeFile } from "node:fs/promises";

export default async function ({ open, given }) {
  const first = await open();
  const tabs = {};
  for (const path of given.paths) {
    tabs[path] = await first.context().newPage();
    await tabs[path].goto(path);
  }
  const over = await first.context().newPage();
  await over.goto(given.list);
  await over.locator("#rows a[data-job]").first().click();
  await over.waitForSelector("dialog[open] .job-body");
  tabs.dialog = over;
  const seen = {};
  for (const [step, ready, words] of given.steps) {
    await writeFile(ready, "");
    seen[step] = {};
    for (const [path, page] of Object.entries(tabs)) {
      const says = ([at, text]) => (text ? document.querySelector(at)?.textContent.includes(text) : document.querySelector(at)?.textContent === "");
      await page.waitForFunction(says, ["#banner", words], { timeout: 40000 }).catch(() => undefined);
      seen[step][path] = await page.evaluate(() => [document.querySelector("#fresh").className, document.querySelector("#fresh").textContent, document.querySelector("#banner").textContent]);
    }
  }
  return { seen };
}
