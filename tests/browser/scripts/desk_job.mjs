/** Job details at a desk: how wide they are, and whether the issues fit, with the longest words of ours in them. */
export default async function ({ open, given }) {
  const page = await open();
  const seen = {};
  for (const width of [1440, 1025, 1024, 900]) {
    await page.setViewportSize({ width, height: 800 });
    await page.goto(given.path);
    await page.locator("#rows [data-job]").first().click();
    await page.waitForSelector("#job[open] .job-issues");
    seen[width] = await page.evaluate((longest) => {
      const table = document.querySelector("#job .job-issues");
      const cells = table.querySelector("tbody tr").cells;
      for (const [index, words] of Object.entries(longest)) cells[index].lastChild.textContent = words;
      const box = document.querySelector("#job").getBoundingClientRect();
      return {
        left: box.left, width: box.width, over: table.scrollWidth - table.parentElement.clientWidth,
        cut: [...table.querySelectorAll("td, th")].filter((cell) => cell.scrollWidth > cell.clientWidth).map((cell) => cell.textContent),
        named: [cells[1].clientWidth, cells[5].clientWidth],
      };
    }, given.longest);
  }
  return { seen };
}
