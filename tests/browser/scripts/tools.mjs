/**
 * The nine tools of the panel, one after the other, by somebody whom a one-time link let in: every list by the way that
 * leads there, with columns, filters and an order of one's own, and as its file; job details; archives of logs.
 */
import { join } from "node:path";
import { follow, said } from "../steps.mjs";

export default async function ({ open, given }) {
  const page = await open({ cookie: "", timezoneId: given.zone });
  await page.goto(given.link);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.waitForURL("**/");
  const cookie = (await page.context().cookies()).find((each) => each.name === "syncwatch").value;

  const save = async (name, button) => {
    const [download] = await Promise.all([page.waitForEvent("download"), button.click()]);
    await download.saveAs(join(given.folder, name));
  };
  const lists = {};
  for (const [name, each] of Object.entries(given.lists)) {
    await walk(page, each.way);
    const first = await page.$$eval(".chip", (chips) => chips.map((chip) => chip.textContent.trim()));
    await choose(page, each);
    lists[name] = { first, ...(await look(page)) };
    lists[name].toast = await said(page, "exported", save(`${name}.csv`, page.locator("[data-export]")));
  }
  const jobs = {};
  for (const [name, each] of Object.entries(given.jobs)) {
    await walk(page, each.way);
    const row = page.locator(`tr[data-key="${each.row}"]`);
    if (!(await row.count())) await page.locator(`.counts button[value="${each.status}"]`).first().click();
    await row.waitFor();
    const from_row = await copies(page, `tr[data-key="${each.row}"]`);
    await save(`${name} in its row.zip`, row.getByRole("link", { name: "Download logs" }));
    await row.getByRole("link", { name: "Job details" }).click();
    await page.waitForSelector("dialog[open] .job-body");
    jobs[name] = { from_row, copied: await copies(page, "dialog"), ...(await details(page)) };
    await save(`${name} in its dialog.zip`, page.locator("dialog").getByRole("link", { name: "Download logs" }));
    await follow(page, page.locator("dialog").getByRole("link", { name: "Open in log viewer" }).click());
    jobs[name].log = await page.$$eval("#log-lines .msg", (cells) => cells.map((cell) => cell.textContent));
  }
  await walk(page, given.user);
  await save("user.zip", page.locator(".head-actions").getByRole("link", { name: "Download logs" }));
  await walk(page, given.organization);
  await save("organization.zip", page.locator(".head-actions").getByRole("link", { name: "Download logs" }));
  await follow(page, page.locator(".subtabs").getByRole("link", { name: "Logs" }).click());
  await save("range.zip", page.locator(".log-range button"));
  return { cookie, lists, jobs };
}

/** Go where somebody goes who knows only words: a place of the top bar, a row of its list, a subtab. */
async function walk(page, [place, row, tab]) {
  await follow(page, page.locator(".nav").getByRole("link", { name: place, exact: true }).click());
  if (row) await follow(page, page.locator("#rows").getByRole("link", { name: row, exact: true }).first().click());
  if (tab) await follow(page, page.locator(".subtabs").getByRole("link", { name: tab }).click());
}

/** Choose the columns, the filters and the order of a list. */
async function choose(page, { show, hide, filters, sort, order }) {
  await page.locator("#columns-menu > summary").click();
  for (const name of show) await page.locator(`.picklist input[value="${name}"]`).check();
  for (const name of hide) await page.locator(`.picklist input[value="${name}"]`).uncheck();
  await follow(page, page.locator(".picklist .primary").click());
  for (const [name, text] of Object.entries(filters)) {
    await page.locator(`#box-${name}`).fill(text);
    await page.locator(`#box-${name}`).press("Enter");
    await page.waitForSelector(`.box.set #box-${name}`);
  }
  const title = page.locator("th", { has: page.locator(`a[data-sort="${sort}"]`) });
  while ((await title.getAttribute("aria-sort")) !== order) await follow(page, title.locator("a").click());
}

/** Read a list: its columns by their full names, each cell's text (a moment as a machine reads it), the count. */
async function look(page) {
  return {
    titles: await page.$$eval("thead tr.boxes .box-word", (words) => words.map((word) => word.textContent.replace("Filter by ", ""))),
    rows: await page.$$eval("#rows > tr", (rows) => rows.map((row) => [...row.children].filter((cell) => !cell.matches(".acts")).map((cell) => {
      const shown = cell.cloneNode(true);
      for (const beside of shown.querySelectorAll(".sub, .beside, .unit, .tag, button")) beside.remove();
      return cell.querySelector("time")?.dateTime ?? cell.querySelector("svg.strip")?.getAttribute("aria-label") ?? shown.textContent;
    }))),
    colours: await page.$$eval("#rows > tr", (rows) => rows.map((row) => [row, ...row.querySelectorAll("td, th, a, .st")].map((each) => getComputedStyle(each).color))),
    matches: await page.textContent(".matches"),
  };
}

/** Press every copy button of a part of the page; return what each copied, by its name. */
async function copies(page, part) {
  const copied = {};
  for (const button of await page.locator(`${part} [aria-label^="Copy "]`).all()) {
    const what = await button.getAttribute("data-what");
    await page.evaluate(() => document.querySelector("#toasts")?.replaceChildren());
    await said(page, `${what} copied`, button.click());
    copied[what] = await page.evaluate(() => navigator.clipboard.readText());
  }
  return copied;
}

/** Read the job details in the dialog. */
async function details(page) {
  const cells = (table) => page.$$eval(`dialog ${table} tbody tr`, (rows) => rows.map((row) => [...row.children].map((cell) => cell.textContent.trim())));
  return {
    user: await page.textContent("dialog .job-who a"),
    facts: await page.$$eval("dialog .grid-facts > div", (all) => Object.fromEntries(all.map((fact) => [fact.querySelector("dt").textContent, fact.querySelector("dd b, dd .st").textContent.trim()]))),
    objects: await cells("#objects-table"),
    issues: await cells("#issues"),
    exception: (await page.locator("dialog #exception-text").allTextContents())[0] ?? "",
  };
}
