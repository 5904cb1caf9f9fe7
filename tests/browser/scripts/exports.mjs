/** Files: what is refused says why, a log archive says how far it is, what is cut is said to be cut and not kept. */
import { said } from "../steps.mjs";

export default async function ({ open, given }) {
  const page = await open();
  const saved = async (on, act) => (await Promise.all([on.waitForEvent("download"), act()]))[0].suggestedFilename();
  await page.goto(given.statistics);
  await page.locator("[data-export]").evaluate((link) => { link.href = link.href.replace("?", "?failures=abc&"); });
  const refused = await said(page, "The export was refused", page.locator("[data-export]").click());
  const button = await page.textContent("[data-export]");
  const archive = page.locator("#rows [data-download]").first();
  const downloading = saved(page, () => archive.click());
  const [told, of_row] = [await said(page, "saved", downloading), await downloading];
  await page.locator("#rows [data-download]").nth(1).evaluate((link) => { link.href = "/api/v1/sessions/none/logs.zip"; });
  const missing = await said(page, "The log archive was refused", page.locator("#rows [data-download]").nth(1).click());
  const stayed = page.url();
  await page.evaluate(() => {
    const real = window.fetch;
    window.fetch = (address, options) => String(address).endsWith("logs.zip")
      ? Promise.resolve(new Response(new ReadableStream({ start(body) { window.body = body; body.enqueue(new Uint8Array(2_500_000)); } })))
      : real(address, options);
  });
  const far = await said(page, "2.5 MB", archive.click());
  await archive.click();
  const under_way = await page.locator(".toast.lasting").count();
  const cut = await said(page, "cut midway", page.evaluate(() => window.body.error(new Error("cut"))));
  const ended = await page.locator(".toast.lasting, [aria-busy]").count();

  await page.goto(given.logs);
  const of_range = await saved(page, () => page.locator(".log-range .primary").click());
  await page.locator("#to").fill("2020-01-01");
  const backwards = await said(page, "The log archive was refused", page.locator(".log-range .primary").click());
  await page.goto("/users?user=nobody+is+called+so&tz=UTC");
  const nothing = await page.getByRole("button", { name: "Export to CSV" }).getAttribute("title");

  const plain = await open({ javaScriptEnabled: false });
  await plain.goto(given.statistics);
  const without_script = await saved(plain, () => plain.locator("#rows [data-download]").first().click());
  return { refused, button, of_row, told, missing, stayed, far, under_way, cut, ended, of_range, backwards, nothing, without_script };
}
