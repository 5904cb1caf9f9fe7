/** The main pages in light and dark at 1440 px, and some on a phone, into a folder. */
const PHONE = { width: 390, height: 844 };

export default async function ({ open, given }) {
  const page = await open();
  if (given.link.startsWith("/sign-in/")) {
    await page.goto("/sign-in");
    await page.screenshot({ path: `${given.folder}/sign-in.png` });
    await page.goto(given.link);
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.waitForURL("**/");
  }
  const hrefs = async (path, selector) => { await page.goto(path); return page.$$eval(selector, (all) => all.map((each) => new URL(each.href).pathname)); };
  const organizations = await hrefs("/organizations?sort=-errors_24h", "#rows th a.name");
  const failing = await hrefs("/sessions?status=errors&sort=-run", "#rows [data-job]");
  const partial = await hrefs("/users?status=partial", "#rows th a.name");
  const troubled = (await hrefs("/issues?state=", "#rows th a.name")).map((path) => path.replace(/\/issues$/, ""));
  const users = [...troubled, ...partial, ...(await hrefs("/users", "#rows th a.name"))];
  const pages = {
    overview: "/", organizations: "/organizations", "organization-users": organizations[0], statistics: `${organizations[0]}/statistics`,
    users: "/users", user: users[0], "user-issues": `${users[0]}/issues`, sessions: "/sessions", issues: "/issues",
    "job-details": failing[0], log: `${failing[0]}/log`, monitoring: "/monitoring", "filter-not-understood": "/users?status=broken",
  };
  const taken = [];
  for (const colorScheme of ["light", "dark"]) {
    await page.emulateMedia({ colorScheme, reducedMotion: "reduce" }); // nothing is taken while it fades in
    for (const [name, path] of Object.entries(pages)) {
      await page.setViewportSize({ width: 1440, height: 1000 });
      await page.goto(path, { waitUntil: "networkidle" });
      await page.screenshot({ path: `${given.folder}/${name}${colorScheme === "dark" ? "-dark" : ""}.png` });
      taken.push(name);
    }
    await page.goto(`${organizations[0]}/statistics`);
    const job = page.locator("[data-job]").first();
    if (await job.count()) {
      await job.click();
      await page.waitForSelector("dialog[open] .job-body");
      await page.screenshot({ path: `${given.folder}/job-dialog${colorScheme === "dark" ? "-dark" : ""}.png` });
    }
  }
  await page.emulateMedia({ colorScheme: "light", reducedMotion: "reduce" });
  await page.goto("/organizations");
  await page.locator("#columns-menu > summary").click();
  await page.screenshot({ path: `${given.folder}/organizations-menu.png` });
  await page.setViewportSize(PHONE);
  for (const name of ["organizations", "user-issues", "overview"]) {
    await page.goto(pages[name], { waitUntil: "networkidle" });
    await page.screenshot({ path: `${given.folder}/${name}-phone.png` });
  }
  await page.goto("/organizations");
  await page.locator("[data-filters]").click();
  await page.screenshot({ path: `${given.folder}/filters-phone.png` });
  return { taken: taken.length };
}
