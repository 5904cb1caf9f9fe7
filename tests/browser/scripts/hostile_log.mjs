/** Lines of a log at their worst: each in its own cells as it came, also those that a script adds, found or wrapped. */
import { join } from "node:path";
import { look } from "./texts.mjs";

export default async function ({ open, given }) {
  const page = await open();
  const told = async (on) => ({
    ...(await look(on, given.word)),
    lines: await on.$$eval(".log tr[id^=line-]", (rows) => rows.filter((row) => row.className === "warning").map((row) => [...row.children].slice(3).map((cell) => cell.textContent))),
  });
  const pages = {};
  await page.goto(given.path);
  await page.evaluate(() => { const log = document.querySelector(".log"); log.scrollTop = log.scrollHeight; });
  await page.waitForSelector(`#line-${given.last}`);
  pages.whole = await told(page);
  await page.getByRole("button", { name: "Wrap lines" }).click();
  pages.wrapped = await told(page);
  const wrapped = await page.$eval(".log", (log) => log.scrollWidth - log.clientWidth);
  const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("link", { name: "Download logs" }).click()]);
  await download.saveAs(join(given.folder, "log.zip"));
  await page.goto(`${given.path}?text=${given.found}&show=matching`);
  pages.found = await told(page);
  const marked = await page.$$eval(".log mark", (marks) => marks.map((mark) => mark.textContent));
  await page.goto(given.job);
  pages.job = await told(page);
  const phone = await open({ viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true });
  await phone.goto(given.path);
  pages.phone = await told(phone);
  return { pages, wrapped, marked };
}
