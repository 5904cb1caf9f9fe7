/** What lists say is to do about their errors, with and without scripts and on a phone: about which, the steps, whether it is within the window. */
export default async function ({ open, given }) {
  const seen = {};
  for (const [way, options] of Object.entries({ desk: {}, plain: { javaScriptEnabled: false }, phone: { viewport: { width: 390, height: 844 } } })) {
    const page = await open(options);
    seen[way] = {};
    for (const [name, path] of Object.entries(given.paths)) {
      await page.goto(path);
      const menu = page.locator("#remedies");
      if (!(await menu.count())) { seen[way][name] = null; continue; }
      await menu.locator("summary").click();
      const box = await menu.locator(".menu-pop").boundingBox();
      seen[way][name] = {
        titles: await menu.locator("h3").allTextContents(),
        steps: await menu.locator("section").filter({ hasText: "Steps" }).count(),
        within: box.x >= 0 && box.x + box.width <= page.viewportSize().width,
      };
    }
  }
  const page = await open();
  await page.goto("/");
  await Promise.all([page.waitForEvent("load"), page.locator(".cards h3 a").first().click()]);
  seen.of_card = await page.locator("#remedies h3").allTextContents();
  await page.locator("#remedies summary").click();
  await page.keyboard.press("Escape");
  seen.closed = await page.locator("#remedies[open]").count();
  return { seen };
}
