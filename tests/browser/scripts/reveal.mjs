/** Names of objects, page by page: masked, revealed by a press, hidden by another; what the page says each time. */
export default async function ({ open, given }) {
  const page = await open();
  const pressed = (name) => Promise.all([page.waitForEvent("load"), page.getByRole("button", { name, exact: true }).click()]);
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
  const job = new URL(page.url()).pathname;
  await pressed("Reveal names");
  const dialog = { job, ...(await look()) };
  await pressed("Hide names");
  return { pages, dialog };
}
