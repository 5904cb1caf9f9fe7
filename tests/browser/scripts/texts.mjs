/** Texts that others wrote, at their worst: they are text, they turn nothing around, and they widen no page. */
export default async function ({ open, given }) {
  const page = await open();
  const pages = {};
  for (const path of given.paths) {
    await page.goto(path);
    pages[path] = await look(page, given.word, given.ending);
  }
  return { pages };
}

/**
 * What is to be seen of texts that hold `word`, and of what stands beside them: also of our own words in one sentence with
 * a name that ends with `ending`, where that is given.
 */
export async function look(page, word, ending = "") {
  return page.evaluate(([word, ending]) => {
    const main = document.querySelector("main");
    const told = { shown: [], alive: [...main.querySelectorAll("b, script")].filter((each) => each.textContent === word).length, turned: [] };
    const texts = document.createTreeWalker(main, NodeFilter.SHOW_TEXT);
    for (let text = texts.nextNode(); text; text = texts.nextNode()) {
      const ours = ending && text.data.includes(ending) ? text.data.lastIndexOf(ending) + ending.length : 0;
      if (text.data.includes(word) && !ours) { told.shown.push(...[...text.data.matchAll(new RegExp(`(\\w+) <b>${word}`, "g"))].map((found) => found[1])); continue; }
      const at = ours + text.data.slice(ours).search(/[a-z0-9]{2}/i);
      if (at < ours || !text.parentElement.checkVisibility()) continue;
      const [first, second] = [at, at + 1].map((place) => { const letter = document.createRange(); letter.setStart(text, place); letter.setEnd(text, place + 1); return letter.getBoundingClientRect(); });
      if (first.top === second.top && first.left > second.left) told.turned.push(text.data.trim().slice(0, 60));
    }
    told.sideways = document.documentElement.scrollWidth - document.documentElement.clientWidth;
    told.heights = [...new Set([...document.querySelectorAll("#rows > tr")].map((row) => Math.round(row.getBoundingClientRect().height)))];
    return told;
  }, [word, ending]);
}
