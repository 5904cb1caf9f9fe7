/** What Enter, leaving a box and shift mean in a list: never another filter, order or columns than were asked for. */
import { follow } from "../steps.mjs";

export default async function ({ open, given }) {
  const seen = { enter: {}, plain: {} };
  const asked = (page) => Object.fromEntries(new URL(page.url()).searchParams);
  for (const javaScriptEnabled of [true, false]) {
    const page = await open({ javaScriptEnabled });
    for (const [box, text] of [["user", "e"], ["failures", ">=0"], ["failures", "abc"]]) {
      await page.goto(given.statistics);
      await page.locator(`thead input[name=${box}]`).fill(text);
      await page.locator(`thead input[name=${box}]`).press("Enter");
      await page.waitForURL((url) => url.searchParams.get(box) === text);
      seen[javaScriptEnabled ? "enter" : "plain"][`${box} ${text}`] = [asked(page).status ?? null, await page.locator("#wrong b").count()];
    }
    await page.context().close();
  }
  const page = await open();
  await page.goto(given.organizations);
  const titles = () => page.$$eval("tr.titles th", (all) => all.length);
  await page.locator("#columns-menu > summary").click();
  await page.getByLabel("Stuck").check();
  await follow(page, page.locator("#columns-menu .primary").click());
  const chosen = await titles();
  await page.locator("#columns-menu > summary").click();
  await page.getByLabel("Find a column").fill("late");
  await page.getByLabel("Find a column").press("Enter");
  await page.waitForTimeout(300);
  const found = [await titles(), await page.locator("#columns-menu[open]").count()];
  await follow(page, page.getByRole("checkbox", { name: "Late" }).press("Enter"));
  seen.columns = [chosen, found, await titles()];
  await page.locator("#columns-menu > summary").click();
  await follow(page, page.getByRole("button", { name: "Reset to default" }).click());

  await page.goto(given.users);
  const status = page.locator('thead input[name="status"]');
  await status.click();
  await status.pressSequentially("failing,late");
  seen.suggested = await page.$$eval("#suggestions button", (all) => all.length);
  await page.goto(given.organizations);
  const users = page.locator('thead input[name="users"]');
  await users.pressSequentially(">=1");
  await page.waitForURL(/users=/);
  await page.waitForTimeout(800);
  const length = await page.evaluate(() => history.length);
  await page.locator('thead input[name="last_session"]').click();
  await page.waitForTimeout(800);
  seen.left = [await page.evaluate(() => history.length) - length, await page.$$eval("#suggestions button", (all) => all.filter((each) => each.dataset.value.length > 0).length)];

  await page.goto(given.organizations);
  seen.orders = [];
  for (const column of ["users", "users", "failing"]) {
    await follow(page, page.locator(`a[data-sort="${column}"]`).click({ modifiers: ["Shift"] }));
    seen.orders.push(asked(page).sort);
  }
  await page.goto(`${given.statistics}&status=finished&sort=-failures&failures=abc`);
  seen.ways = await page.$$eval("#wrong .chip", (all) => all.map((each) => [each.textContent, new URL(each.href).search]));
  await Promise.all([page.waitForEvent("load"), page.locator("#wrong .chip", { hasText: ">=5" }).click()]);
  seen.form = [asked(page).failures, await page.inputValue("#box-failures"), await page.locator("#wrong").count()];
  await page.goto(`${given.statistics}&status=foo&failures=0..`);
  seen.chips = await page.$$eval(".toolbar .chip", (all) => all.map((each) => each.textContent.trim()));
  seen.status_ways = await page.$$eval("#wrong .chip", (all) => all.map((each) => [each.textContent, new URL(each.href).search]).slice(-2));
  await page.goto(`${given.statistics}&status=foo`);
  seen.alone = await page.$$eval(".toolbar .chip, #wrong .chip:last-child", (all) => all.map((each) => each.textContent.trim()));
  seen.last_but_one = await page.textContent("#wrong .chip:nth-last-child(2)");
  return seen;
}
