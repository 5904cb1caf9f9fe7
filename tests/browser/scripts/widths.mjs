/**
 * At 1,440 px: which of the words that must not be cut are cut, by list; and the lines of reports, with whether their numbers are whole. Then
 * which runs are cut between a phone and a desk.
 */
export default async function ({ open, given }) {
  const page = await open();
  const cut = {};
  const report = [];
  for (const [list, path] of Object.entries(given.paths)) {
    await page.goto(path);
    cut[list] = await page.$$eval("#rows .line, #rows .two", (all, titles) => {
      const heads = [...document.querySelectorAll("thead .titles th")].map((head) => head.textContent.trim());
      const over = (each) => each.scrollWidth > each.clientWidth + 1 || each.scrollHeight > each.clientHeight + 1;
      const titles_cut = [...document.querySelectorAll("thead .titles th")].filter((head) => head.scrollWidth > head.clientWidth + 1).map((head) => head.textContent);
      return [...titles_cut, ...new Set(all.filter((each) => titles.includes(heads[each.closest("td, th").cellIndex]) && over(each)).map((each) => each.textContent))];
    }, given.titles);
    report.push(...await page.$$eval("#rows .with-copy .line.full, #rows .with-copy .line.full + .sub", (all) => all.map((each) => {
      const number = document.createRange();
      number.selectNodeContents(each.lastChild);
      return [each.textContent, number.getBoundingClientRect().right <= each.getBoundingClientRect().right + 1];
    })));
  }
  const runs = {};
  for (const path of [given.paths.statistics, given.paths.sessions]) {
    for (const width of [640, 750, 860]) {
      await page.setViewportSize({ width, height: 900 });
      await page.goto(path);
      runs[`${path} at ${width}`] = await page.$$eval("#rows .line", (all) => all.filter((each) => /^\d\d:\d\d:\d\d–/.test(each.textContent) && each.scrollWidth > each.clientWidth + 1).length);
    }
  }
  return { cut, report, runs };
}
