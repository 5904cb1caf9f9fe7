/** Names of objects, page by page: masked, revealed by a press, hidden by another; what the page says each time. */
import { follow } from "../steps.mjs";

export default async function ({ open, given }) {
  const page = await open();
  const pressed = (name, within = page) => follow(page, within.getByRole("button", { name, exact: true }).click());
  const look = async () => ({
    path: new URL(page.url()).pathname,
    words: (await page.getByText(/^\s*Names (are masked|shown)/).first().textContent()).trim(),
    text: await page.locator("main").textContent(),
  });
  const pages = {};
  for (const path of given.paths) {
    await page.goto(path);
    pages[path] = [await look()];
    for (const name of ["Reveal names", "Hide names"]) {
      await pressed(name);
      pages[path].push(await look());
    }
  }
  await page.goto(given.list);
  await page.locator("#rows a[data-job]").first().click();
  await page.waitForSelector("dialog[open] .job-body");
  const job = page.url();
  const within = page.locator("dialog[open]");
  await within.getByRole("button", { name: "Reveal names", exact: true }).click();
  await within.getByRole("button", { name: "Hide names", exact: true }).waitFor();
  const dialog = {
    stays: page.url() === job && (await within.count()) === 1,
    focus: await page.evaluate(() => document.activeElement?.textContent),
  };
  await page.keyboard.press("Escape");
  await page.waitForFunction(() => !document.querySelector("dialog[open]"));
  const row = () => page.evaluate(() => document.activeElement?.closest("#rows > tr")?.id);
  const opened = await row();
  const box = page.locator(".grid .box input").last();
  await box.pressSequentially(">=", { delay: 100 });
  await page.waitForTimeout(given.looks);
  dialog.typed = [await box.inputValue(), await page.locator(".list").getByRole("button", { name: "Reveal names", exact: true }).count()];
  await box.fill("");
  await page.locator("#rows a[data-job]").first().focus();
  await page.evaluate(() => { window.same = true; });
  await page.locator(".list").getByRole("button", { name: "Hide names", exact: true }).waitFor();
  dialog.same = [await page.evaluate(() => window.same), (await row()) === opened];
  dialog.list = await look();
  dialog.covered = [];
  for (const width of [640, 720, 800, 900]) {
    await page.setViewportSize({ width, height: 900 });
    if (!await page.locator(".chip a").first().evaluate((x) => { const at = x.getBoundingClientRect(); return x.contains(document.elementFromPoint(at.left + at.width / 2, at.top + at.height / 2)); })) dialog.covered.push(width);
  }
  await page.setViewportSize({ width: 1440, height: 900 });
  await pressed("Hide names");
  await page.goto(given.paths[0]);
  await pressed("Reveal names");
  const other = await page.context().newPage();
  await other.goto(given.paths[0]);
  await follow(other, other.getByRole("button", { name: "Hide names", exact: true }).click());
  await page.bringToFront();
  await page.getByRole("button", { name: "Reveal names", exact: true }).waitFor();
  await page.waitForLoadState();
  return { pages, dialog, elsewhere: await look() };
}
