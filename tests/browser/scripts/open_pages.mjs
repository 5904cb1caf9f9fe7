/** Pages that are open already: what their marks and banners say once something has changed, and once it is over. */
import { writeFile } from "node:fs/promises";

/** What may lie over a list: where it stands, and what opens it. */
const OPENED = {
  menu: ["#columns-menu[open]", (page) => page.locator("#columns-menu > summary").click()],
  suggestions: [".suggest", (page) => page.locator("#box-status").click()],
  tip: ["#tip", (page) => page.locator("#rows .full.mono").first().focus()],
};

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
  for (const [name, [part, act]] of Object.entries(OPENED)) {
    tabs[name] = await first.context().newPage();
    await tabs[name].goto(given.list);
    await act(tabs[name]);
    await tabs[name].waitForSelector(part);
  }
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
  const open_still = {};
  for (const [name, [part]] of Object.entries(OPENED)) open_still[name] = await tabs[name].locator(part).count();
  return { seen, open_still };
}
