/** The one-time link: a page with one button; used once; the second time it says so. */
export default async function ({ open, given }) {
  const page = await open({ cookie: "" });
  await page.goto("/organizations");
  const sent_to = new URL(page.url()).pathname;
  const link = `/sign-in/${given.people.platform_admin.token}`;
  await page.goto(link);
  await page.reload();
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.waitForURL("**/");
  const heading = await page.textContent("h1");
  await page.goto("/organizations");
  const rows = await page.locator("#rows > tr").count();
  const other = await open({ cookie: "" });
  await other.goto(link);
  await other.getByRole("button", { name: "Sign in" }).click();
  const refused = await other.textContent('[role="alert"]');
  await page.locator("details.who summary").click();
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.waitForURL("**/sign-in");
  await page.goto("/users");
  return { sent_to, heading, rows, refused, after: new URL(page.url()).pathname };
}
