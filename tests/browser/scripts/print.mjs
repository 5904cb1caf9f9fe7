/** On paper, of somebody who reads in the dark: what is shown of a list, a log and job details. */
export default async function ({ open, given }) {
  const page = await open({ colorScheme: "dark" });
  const seen = {};
  const shown = (selector) => page.$$eval(selector, (all) => all.filter((each) => each.checkVisibility()).length);
  const bare = async (selector) => ({
    ground: await page.evaluate(() => getComputedStyle(document.body).backgroundColor),
    fresh: await shown("#fresh"),
    pressed: await page.$$eval("button, .btn, input, select, summary", (all) => all.filter((each) => each.checkVisibility() && !each.matches(".counts button, .legend button, .hear, details[open] > summary")).map((each) => each.outerHTML.slice(0, 80))),
    hidden: await page.$$eval(selector, (all) => all.filter((each) => each.scrollHeight > each.clientHeight + 1 && getComputedStyle(each).overflowY !== "visible").length),
  });
  for (const [name, path] of Object.entries(given.paths)) {
    await page.emulateMedia({ media: "screen" });
    await page.goto(path);
    await page.emulateMedia({ media: "print" });
    seen[name] = await bare(".scroll, .log");
  }
  await page.setViewportSize({ width: 1047, height: 700 }); // A4 across, less its margins
  seen.across = {};
  for (const path of given.lists) {
    await page.emulateMedia({ media: "screen" });
    await page.goto(path);
    await page.emulateMedia({ media: "print" });
    const cut = await page.$$eval(".grid :is(th, td, .line, .two, .sub), .chip", (all) => all.filter((each) => each.checkVisibility() && (each.scrollWidth > each.clientWidth + 1 || each.scrollHeight > each.clientHeight + 3) && getComputedStyle(each).display !== "inline").map((each) => each.textContent.trim()));
    const end = await page.$eval(".grid", (grid) => grid.getBoundingClientRect().right - grid.closest(".list").getBoundingClientRect().right);
    seen.across[path] = [Math.max(0, Math.round(end)), cut];
  }
  const pdf = (await page.pdf({ preferCSSPageSize: true })).toString("latin1");
  const [, , width, height] = pdf.match(/\/MediaBox \[(\S+) (\S+) (\S+) (\S+)\]/).slice(1).map(Number);
  seen.lies = width > height;
  await page.emulateMedia({ media: "screen" });
  await page.goto(given.paths.list);
  await page.locator("[data-job]").first().click();
  await page.waitForSelector("dialog[open] .job-body");
  await page.emulateMedia({ media: "print" });
  seen.dialog = { main: await shown("main"), text: (await page.locator("#job").innerText()).includes("Objects"), cut: await page.$eval("#job", (job) => job.scrollHeight > job.clientHeight + 1) };
  return seen;
}
