/** What lies wholly under a sticky part, and gets the focus, comes out from under it; what stands in one moves nothing. */
export default async function ({ open, given }) {
  const page = await open({ viewport: { width: 1024, height: 700 } });
  await page.goto(given.path);
  return page.evaluate(() => {
    const region = document.querySelector(".scroll");
    const box = (selector) => document.querySelector(selector).getBoundingClientRect();
    const cells = "#rows td:not(.acts) :is(a, button, .full)";
    const down = (each) => box("thead .boxes th").bottom - each.top;
    region.scrollIntoView();
    const sides = {
      row: { among: "#rows > tr", over: down, size: "height", way: [0, 1] },
      cell: { among: cells, over: down, size: "height", way: [0, 1] },
      first: { among: cells, over: (each) => box("#rows th").right - each.left, size: "width", way: [1, 0] },
      actions: { among: cells, over: (each) => each.right - box("#rows .acts").left, size: "width", way: [1, 0] },
    };
    const covered = ({ among, over, size }) => {
      const shown = region.getBoundingClientRect();
      return [...document.querySelectorAll(among)].find((each) => {
        const at = each.getBoundingClientRect();
        return over(at) >= at[size] - 8 && at.bottom > shown.top && at.top < shown.bottom && at.right > shown.left && at.left < shown.right;
      });
    };
    const seen = {};
    for (const [name, side] of Object.entries(sides)) {
      let target;
      for (let by = 0; by <= 400 && !target; by += 10) {
        region.scrollTo(by * side.way[0], by * side.way[1]);
        target = covered(side);
      }
      document.activeElement.blur();
      target?.focus();
      seen[name] = target ? Math.max(0, Math.round(side.over(target.getBoundingClientRect()))) : "nothing lies under it";
    }
    region.scrollTo(0, 310);
    document.querySelector("thead input").focus();
    const still = [region.scrollLeft, region.scrollTop];
    return { seen, still };
  });
}
