/**
 * A row that no longer matches its list stays where it is and says so, until somebody asks for the list anew. What it
 * says covers nothing that the row says, in either density, and on a phone.
 */
import { writeFile } from "node:fs/promises";
import { follow } from "../steps.mjs";

export default async function ({ open, given }) {
  const page = await open();
  await page.addInitScript(() => { document.addEventListener("DOMContentLoaded", () => { document.body.dataset.every = "400"; }); });
  await page.goto(given.path);
  const keys = () => page.$$eval("#rows > tr", (rows) => rows.map((row) => row.id));
  const height = () => page.$eval("#rows", (rows) => rows.getBoundingClientRect().height);
  const before = [await keys(), await height()];
  await page.mouse.move(0, 0);
  await writeFile(given.ready, "");
  const word = await page.waitForSelector(".gone-word").then((found) => found.textContent());
  const after = [await keys(), await height()];
  const seen = await page.locator("tr.gone .gone-word").isVisible();
  await page.reload();
  const left = (await keys()).length;
  return { before, after, word, seen, left, covered: await covered(await open(), given.lists) };
}

/** Of every row of the lists, were it gone: what is covered or cut, and rows that grow. */
async function covered(page, lists) {
  const found = {};
  for (const path of lists) {
    for (const density of ["compact", "roomy"]) {
      await page.setViewportSize({ width: 1440, height: 900 });
      await page.goto(path);
      await page.locator(".foot .menu > summary").click();
      await follow(page, page.locator(`.foot .menu [value=${density}]`).click());
      for (const width of [1440, 390, 320]) {
        await page.setViewportSize({ width, height: 900 });
        found[`${path} ${density} ${width}`] = await page.evaluate(faults);
      }
    }
  }
  return found;
}

function faults() {
  const rows = [...document.querySelectorAll("#rows > tr")];
  const boxOf = (element) => element.getBoundingClientRect();
  const tops = () => rows.map((row) => Math.round(boxOf(row).top));
  /** What holds a link or a time is as high as one can press; the words in it are looked at themselves. */
  const shown = (row) => [...row.querySelectorAll("a, time, .st, .sub, .full:not(:has(a, time)), .num, .strip, .bar")].filter((each) => each.checkVisibility() && !each.matches(".hear"));
  const [places, faults] = [tops(), []];
  const words = rows.map((row) => {
    row.classList.add("gone");
    const word = Object.assign(document.createElement("span"), { className: "gone-word", textContent: "no longer matches" });
    row.querySelector("th").append(word);
    return word;
  });
  if (tops().some((top, index) => top !== places[index])) faults.push("rows moved");
  rows.forEach((row, index) => {
    const text = document.createRange();
    text.selectNodeContents(words[index]);
    const [box, within] = [boxOf(text), boxOf(row)];
    if (box.top < within.top || box.bottom > within.bottom || box.right > boxOf(row.querySelector("th")).right && innerWidth > 640) faults.push(`out of ${row.id}`);
    for (const each of shown(row)) {
      const range = document.createRange();
      range.selectNodeContents(each);
      const other = each.matches("svg") ? boxOf(each) : boxOf(range);
      if (other.width && other.left < box.right - 1 && other.right > box.left + 1 && other.top < box.bottom - 4 && other.bottom > box.top + 4) faults.push(`covers ${each.textContent}`);
    }
  });
  words.forEach((word) => word.remove());
  rows.forEach((row) => row.classList.remove("gone"));
  return [...new Set(faults)].slice(0, 5);
}
