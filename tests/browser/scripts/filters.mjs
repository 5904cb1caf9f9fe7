/** C23 and C24 on screen: a plus stays a plus in every link; what is not understood shows no rows and keeps its value. */
import { follow, rowsOf } from "../steps.mjs";

export default async function ({ open, given }) {
  const page = await open();
  await page.goto("/users?tz=UTC");
  await page.locator('thead input[name="user"]').fill("ann+crm@");
  await page.locator('thead input[name="user"]').press("Enter");
  await page.waitForSelector(".chip");
  const found = await rowsOf(page);
  const links = await page.$$eval("#list a[href*='ann']", (all) => all.map((link) => link.getAttribute("href")));
  const plus_url = page.url();
  await page.goto("/users?user=ann+crm@&tz=UTC");
  const by_hand = { rows: (await rowsOf(page)).length, chip: await page.textContent(".chip"), state: await page.textContent(".state") };
  await page.goto("/sessions?started_at=2026-11-01T00:00:00+01:00..&tz=UTC");
  const lost_plus = await page.textContent("#wrong");
  const wrong = {};
  for (const query of ["failures=abc", "failures=5...9", "status=eror", "started_at=2026-13-01..", "emial=x", "sort=-nope", "columns=foo", "limit=0", "limit=501", "cursor=garbage", "status=not:", "status=errors&status=finished"]) {
    const answer = await page.goto(`/sessions?${query}&tz=UTC`);
    const name = query.split("=")[0];
    const box = page.locator(`thead input[name="${name === "started_at" ? "run" : name}"]`).first();
    wrong[query] = {
      status: answer?.status(), rows: (await rowsOf(page)).length, said: await page.textContent("#wrong"),
      value: (await box.count()) ? await box.inputValue() : null,
      exports: await page.locator("a[data-export]").count(),
    };
  }
  await page.goto("/users?status=broken&tz=UTC");
  const choices = await page.$$eval("#wrong .chip", (all) => all.map((each) => each.textContent?.trim()));
  await follow(page, page.locator("#wrong .chip", { hasText: "late" }).click());
  const after_choice = await rowsOf(page);
  const empties = await page.goto("/users?user=&status=&email=&tz=UTC");
  const empty_boxes = { status: empties?.status(), rows: (await rowsOf(page)).length };
  await page.goto(given.statistics);
  const suggested = [];
  const spoken = [];
  for (const name of ["status", "error_category"]) {
    await page.locator(`thead input[name=${name}]`).focus();
    await page.waitForSelector(".suggest .n");
    suggested.push(...await page.$$eval(".suggest button", (all, box) => all.map((button) => [box, button.dataset.value, button.querySelector(".n")?.textContent, button.querySelector(".st use")?.getAttribute("href")]), name));
    await page.keyboard.press("ArrowDown");
    spoken.push(await page.evaluate(() => { const box = document.activeElement; return [box.getAttribute("role"), box.getAttribute("aria-expanded"), document.getElementById(box.getAttribute("aria-activedescendant"))?.getAttribute("aria-selected")]; }));
    await page.keyboard.press("Escape");
    spoken.push(await page.evaluate(() => [document.activeElement.getAttribute("role"), document.querySelectorAll(".suggest").length]));
  }
  const proved = [];
  for (const [box, word, number] of suggested.filter(([, , number]) => number !== "0").slice(-5)) {
    await page.goto(`${given.statistics}&${box}=${encodeURIComponent(word)}`);
    proved.push([word, number, await page.textContent(".matches b")]);
  }
  return { spoken, suggested, proved, found, links, plus_url, by_hand, lost_plus, wrong, choices, after_choice, empty_boxes };
}
