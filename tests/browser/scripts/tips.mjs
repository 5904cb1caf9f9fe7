/** What stands in a title alone reaches keyboard, touch and readers: explained columns, buttons that are off. */
export default async function ({ open, given }) {
  const page = await open();
  const tip = async (on) => on.locator("#tip").textContent();
  await page.goto(given.path);
  const named = (name) => page.getByRole("columnheader", { name, exact: true }).count();
  const objects = [await named("Objects"), await named(/^Objects ?, detailed report$/)];
  const explained = {};
  await page.locator('thead a[data-sort="changes"]').focus();
  explained.changes = await tip(page);
  const off = {};
  await page.getByRole("button", { name: "Previous", exact: true }).focus();
  off.first = await tip(page);
  await page.keyboard.press("Escape");
  const closed = await page.locator("#tip").count();
  await page.goto(given.users);
  await page.locator("thead .titles span[tabindex]", { hasText: "Last 20 sessions" }).focus();
  explained.last_20 = await tip(page);

  const touched = await open({ hasTouch: true });
  await touched.goto("/users?user=nobody+is+called+so&tz=UTC");
  await touched.getByRole("button", { name: "Export to CSV" }).tap({ force: true }); // what is off is not enabled
  off.touched = await tip(touched);
  const plain = await open({ javaScriptEnabled: false });
  await plain.goto(given.path);
  const without_script = await plain.getByRole("button", { name: "Previous", exact: true }).getAttribute("title");
  return { objects, explained, off, closed, without_script };
}
