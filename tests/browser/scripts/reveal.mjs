/** Names of objects, page by page: masked, revealed by a press, hidden by another; what the page says each time. */
export default async function ({ open, given }) {
  const page = await open();
  const pressed = (name, within = page) => Promise.all([page.waitForEvent("load"), within.getByRole("button", { name, exact: true }).click()]);
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
  await page.locator(".list").getByRole("button", { name: "Hide names", exact: true }).waitFor({ timeout: 20000 });
  dialog.list = await look();
  await pressed("Hide names");
  await page.goto(given.paths[0]);
  await pressed("Reveal names");
  const other = await page.context().newPage();
  await other.goto(given.paths[0]);
  await other.getByRole("button", { name: "Hide names", exact: true }).click();
  await page.bringToFront();
  await page.getByRole("button", { name: "Reveal names", exact: true }).waitFor({ timeout: 20000 });
  return { pages, dialog, elsewhere: await look() };
}
