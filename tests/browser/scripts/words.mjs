/** At 1,440 px: each text that a column may hold, put into a cell of it; told are those of which a word breaks or is cut. */
export default async function ({ open, given }) {
  const page = await open();
  const broken = {};
  const tried = {};
  const wide = {};
  for (const [list, { path, texts }] of Object.entries(given.lists)) {
    await page.goto(path);
    await page.evaluate(() => document.fonts.ready);
    wide[list] = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    [broken[list], tried[list]] = await page.evaluate((wanted) => {
      const heads = [...document.querySelectorAll("thead .titles th")].map((head) => head.textContent.trim());
      const bad = {};
      const counts = {};
      /** The text of a cell that its words are in: not the sign of nothing, not what is heard only. */
      const text = (cell) => {
        const walk = document.createTreeWalker(cell, NodeFilter.SHOW_TEXT, (node) =>
          node.textContent.trim().length > 1 && node.parentElement.checkVisibility() && !node.parentElement.closest("svg, .hear, .code, .sub, .tag") ? NodeFilter.FILTER_ACCEPT : NodeFilter.FILTER_REJECT);
        return walk.nextNode();
      };
      /** Whether a word of a text stands on two lines, or not wholly within each box around it. */
      const breaks = (node, word) => {
        const range = document.createRange();
        range.setStart(node, word.index);
        range.setEnd(node, word.index + word[0].length);
        const rects = [...range.getClientRects()].filter((rect) => rect.width > 0);
        if (new Set(rects.map((rect) => Math.round(rect.top))).size > 1) return true;
        for (let box = node.parentElement; box && box.tagName !== "TR"; box = box.parentElement) {
          if (getComputedStyle(box).overflow === "visible") continue;
          const { left, right, top, bottom } = box.getBoundingClientRect();
          if (rects.some((rect) => rect.left < left - 1 || rect.right > right + 1 || rect.top < top - 2 || rect.bottom > bottom + 2)) return true;
        }
        return false;
      };
      for (const [title, phrases] of Object.entries(wanted)) {
        const column = heads.indexOf(title);
        const node = [...document.querySelectorAll("#rows > tr")].map((row) => text(row.cells[column])).find(Boolean);
        if (!node) { bad[title] = ["no cell holds a text"]; continue; }
        const was = node.textContent;
        for (const phrase of phrases) {
          node.textContent = phrase;
          const words = [...phrase.matchAll(/[^\s]+/g)];
          const cut = words.filter((word) => breaks(node, word)).map((word) => word[0]);
          if (cut.length) (bad[title] ??= []).push(`${phrase}: ${cut.join(" ")}`);
          counts[title] = (counts[title] ?? 0) + 1;
        }
        node.textContent = was;
      }
      return [bad, counts];
    }, texts);
  }
  return { broken, tried, wide };
}
