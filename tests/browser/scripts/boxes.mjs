/** At 1,440 px, of every box with a value: how far its × reaches out of it, how much room its text has, how large its × is, and how much room the whole value takes; by list. */
export default async function ({ open, given }) {
  const page = await open();
  const seen = {};
  for (const [name, path] of Object.entries(given.paths)) {
    await page.goto(path);
    seen[name] = await page.$$eval(".boxes .box:has(a)", (all) => all.map((box) => {
      const input = box.querySelector("input");
      const [outer, typed, cross, sign] = [box, input, box.querySelector("a"), box.querySelector("a .i")].map((each) => each.getBoundingClientRect());
      const { paddingLeft, paddingRight } = getComputedStyle(input);
      const room = Math.min(typed.right - parseFloat(paddingRight), sign.left) - typed.left - parseFloat(paddingLeft);
      const pen = document.createElement("canvas").getContext("2d");
      pen.font = getComputedStyle(input).font;
      return [input.name, Math.round(Math.max(0, cross.right - outer.right, outer.left - cross.left)), Math.round(room), Math.round(Math.min(cross.width, cross.height)), Math.round(pen.measureText(input.value).width)];
    }));
  }
  return { seen };
}
