/** The keyboard alone: find, rows, cells, job details, columns, search box, going to pages, log lines, leaving. */
import { follow } from "../steps.mjs";

export default async function ({ open, given }) {
  const page = await open();
  const at = () => page.evaluate(() => document.activeElement?.id || document.activeElement?.tagName);
  await page.goto(given.path);
  await page.keyboard.press("/");
  const find = await at();
  await page.keyboard.press("Escape");
  await page.keyboard.press("f");
  const first_box = await at();
  await page.keyboard.press("Escape");
  await page.keyboard.press("j");
  await page.keyboard.press("j");
  await page.keyboard.press("k");
  await page.keyboard.press("j");
  const second_row = await page.evaluate(() => [...document.querySelectorAll("#rows > tr")].indexOf(document.activeElement));
  const outlined = await page.evaluate(() => getComputedStyle(document.activeElement).outlineWidth);
  const copied = async () => {
    await page.evaluate(() => navigator.clipboard.writeText(""));
    await page.keyboard.press("c");
    await page.waitForFunction(async () => (await navigator.clipboard.readText()) !== "");
    return page.evaluate(() => navigator.clipboard.readText());
  };
  const row = page.locator("#rows > tr").nth(1);
  const cells = { head: await copied(), shown: [await row.locator("th a").textContent()] };
  for (const [name, part] of [["category", "td:nth-child(10) .full"], ["exception", "td:nth-child(11) .full"]]) {
    await row.locator(part).focus();
    cells[name] = await copied();
    cells.shown.push(await row.locator(part).textContent());
  }
  await row.focus();
  await page.keyboard.press("i");
  await page.waitForSelector("dialog[open] .job-body");
  const before = page.url();
  await page.keyboard.press("]");
  await page.waitForFunction((was) => location.href !== was, before);
  await page.keyboard.press("Escape");
  await page.waitForFunction(() => !document.querySelector("dialog[open]"));
  await page.keyboard.press("m");
  const menu = await page.locator('#columns-menu[open] > summary[aria-label^="Menu"]').count();
  const held = () => page.evaluate(() => document.activeElement?.getAttribute("aria-label"));
  const in_menu = [await held()];
  await page.keyboard.press("Escape");
  in_menu.push(await held());
  await page.keyboard.press("?");
  const help = await page.locator("dialog.help[open]").count();
  await page.keyboard.press("Escape");
  await follow(page, Promise.all(["g", "o"].map((key) => page.keyboard.press(key)))); // one soon after the other
  const gone_to = new URL(page.url()).pathname;
  await page.keyboard.press("Tab");
  const skip = await page.evaluate(() => document.activeElement?.className);

  await page.goto(given.job);
  const standing = [page.url()];
  for (const key of ["[", "]"]) {
    await follow(page, page.keyboard.press(key));
    standing.push(page.url());
  }
  await page.goto(`${given.job}/log`);
  const lines = [];
  for (const key of ["j", "j", "j", "k"]) { await page.keyboard.press(key); lines.push(await at()); }
  const message = [await copied(), await page.evaluate(() => document.activeElement.querySelector(".msg").textContent)];
  const archive = (await Promise.all([page.waitForEvent("download"), page.keyboard.press("d")]))[0].suggestedFilename();
  const stays = async () => { await page.keyboard.press("e"); await page.waitForTimeout(200); return new URL(page.url()).hash; };
  await page.keyboard.press("?");
  const behind_dialog = await stays();
  await page.locator("#letters").uncheck();
  await page.keyboard.press("Escape");
  const switched_off = await stays();
  await page.evaluate(() => localStorage.clear());
  await page.reload();
  await page.keyboard.press("e");
  await page.waitForFunction(() => location.hash);
  const switched_on = new URL(page.url()).hash;
  return { find, first_box, second_row, outlined, cells, menu, in_menu, help, gone_to, skip, standing, lines, message, archive, behind_dialog, switched_off, switched_on };
}
