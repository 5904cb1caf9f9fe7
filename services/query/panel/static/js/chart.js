/**
 * Sessions per hour in two panes on one time axis: all of them, and those not finished clean on a scale of their own.
 * The numbers come from the table that stands beside the chart, so both say the same.
 */
import { all, make, one } from "./dom.js";

/** How long a bar is, in seconds. */
let step = 3600;
/** Bottom up. `soft` parts are large and calm and get an edge. */
const PARTS = [
  { slug: "finished", fill: "--ok-soft", edge: "--ok-fill", clean: true },
  { slug: "errors", fill: "--bad-fill", edge: "", clean: false },
  { slug: "timed_out", fill: "--time-fill", edge: "", clean: false },
  { slug: "finished_with_issues", fill: "--warn-soft", edge: "--warn-fill", clean: false },
  { slug: "cancelled", fill: "--mute-fill", edge: "", clean: false },
];
/** @typedef {{at: number, counts: Record<string, number>, words: string, open: boolean, watched: boolean}} Hour */
const off = new Set();
/** @type {any[]} */
let drawn = [];

/** @param {HTMLElement} table @returns {Hour[]} */
function hoursOf(table) {
  return all("tbody tr", table).map((row) => ({
    at: Number(row.dataset.at),
    counts: Object.fromEntries(all("td[data-status]", row).map((cell) => [cell.dataset.status ?? "", Number(cell.dataset.n)])),
    words: row.dataset.words ?? "",
    open: row.dataset.open !== undefined,
    watched: row.dataset.unwatched === undefined,
  }));
}

/** @param {string} name */
function colour(name) {
  const probe = make("span");
  probe.style.color = `var(${name})`;
  document.body.append(probe);
  const value = getComputedStyle(probe).color;
  probe.remove();
  return value;
}

/** @param {number} n */
function short(n) {
  return n >= 1e6 ? `${n / 1e6} M` : n >= 1000 ? `${n / 1000} k` : String(n);
}

/** @param {Hour[]} hours @param {boolean} clean */
function drawBars(hours, clean) {
  const parts = PARTS.filter((part) => (clean || !part.clean) && !off.has(part.slug));
  const paint = new Map(parts.flatMap((part) => [part.fill, part.edge]).filter(Boolean).map((name) => [name, colour(name)]));
  return (/** @type {any} */ plot) => {
    const pen = plot.ctx;
    const ratio = devicePixelRatio;
    pen.save();
    for (const hour of hours) {
      const left = plot.valToPos(hour.at + step * 0.17, "x", true);
      const width = plot.valToPos(hour.at + step * 0.83, "x", true) - left;
      let sum = 0;
      for (const part of parts) {
        const n = hour.counts[part.slug] ?? 0;
        if (!n) continue;
        const bottom = plot.valToPos(sum, "y", true);
        sum += n;
        const top = plot.valToPos(sum, "y", true);
        pen.fillStyle = pen.strokeStyle = paint.get(part.fill);
        if (hour.open) { pen.lineWidth = ratio; pen.strokeRect(left, top, width, Math.max(1, bottom - top)); continue; }
        pen.fillRect(left, top, width, Math.max(ratio, bottom - top));
        if (part.edge) { pen.fillStyle = paint.get(part.edge); pen.fillRect(left, top, width, 1.6 * ratio); }
      }
    }
    pen.restore();
  };
}

/** Sessions of an hour that the lower pane shows. @param {Hour} hour */
function unclean(hour) {
  return PARTS.reduce((sum, part) => sum + (part.clean || off.has(part.slug) ? 0 : hour.counts[part.slug] ?? 0), 0);
}

/**
 * What the chart points at, as dashed lines with words: the same stands as sentences, with links, below it. The hour in
 * progress is called now. @param {Hour[]} hours
 */
function drawMarks(hours) {
  const marks = all("#chart-marks li").map((mark) => ({ at: Number(mark.dataset.at), words: mark.dataset.words ?? "" }));
  const [line, words] = [colour("--text-3"), colour("--text-2")];
  return (/** @type {any} */ plot) => {
    const pen = plot.ctx;
    const ratio = devicePixelRatio;
    const { left, top, width, height } = plot.bbox;
    pen.save();
    pen.font = `${11 * ratio}px Inter, system-ui`;
    pen.textBaseline = "top";
    pen.setLineDash([3 * ratio, 3 * ratio]);
    pen.lineWidth = ratio;
    pen.strokeStyle = line;
    pen.fillStyle = words;
    const open = hours.find((hour) => hour.open);
    const now = open && { x: plot.valToPos(open.at + step / 2, "x", true), y: plot.valToPos(unclean(open), "y", true) - 3 * ratio };
    const isAtNow = (/** @type {number} */ x) => now !== undefined && Math.abs(x - now.x) < 14 * ratio;
    marks.forEach((mark, row) => {
      const x = plot.valToPos(mark.at, "x", true);
      const y = top + row * 15 * ratio;
      pen.beginPath();
      pen.moveTo(x, y);
      const hour = hours.find((each) => mark.at >= each.at && mark.at < each.at + step);
      const foot = hour ? plot.valToPos(unclean(hour), "y", true) : top + height;
      pen.lineTo(x, now && isAtNow(x) ? Math.min(foot, now.y - 14 * ratio) : foot);  // not through the word
      pen.stroke();
      const before = x > left + width / 2;
      pen.textAlign = before ? "right" : "left";
      const room = (before ? x - left : left + width - x) - 5 * ratio;
      const fits = pen.measureText(mark.words).width < room;
      pen.fillText(fits ? mark.words : mark.words.split(" ")[0], x + (before ? -5 : 5) * ratio, y);
    });
    if (now) {
      pen.textAlign = "center";
      pen.textBaseline = "bottom";
      pen.fillText("now", now.x, now.y);
    }
    pen.restore();
  };
}

/** @param {HTMLElement} place @param {Hour[]} hours @param {{clean: boolean, height: number, zone: string}} pane */
function draw(place, hours, pane) {
  const Plot = /** @type {any} */ (window).uPlot;
  const total = (/** @type {Hour} */ hour) => PARTS.reduce((sum, part) => sum + ((pane.clean || !part.clean) && !off.has(part.slug) ? hour.counts[part.slug] ?? 0 : 0), 0);
  const line = colour("--line");
  const words = colour("--text-2");
  const font = "11px Inter, system-ui";
  const clockOf = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", timeZone: pane.zone });
  const dayOf = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", timeZone: pane.zone });
  return new Plot({
    width: place.clientWidth - 32, height: pane.height, legend: { show: false }, padding: [8, 18, pane.clean ? 8 : 0, 0],
    cursor: { y: false, x: false, points: { show: false }, drag: { setScale: false, x: false }, sync: { key: "hours" } },
    scales: { x: { time: true, range: [hours[0].at, hours[hours.length - 1].at + step] }, y: { range: (/** @type {any} */ _, /** @type {number} */ __, /** @type {number} */ top) => [0, Math.max(4, top * (pane.clean ? 1.08 : 1.4))] } },
    series: [{}, { paths: () => null, points: { show: false } }],
    axes: [
      { show: !pane.clean, font, stroke: words, grid: { show: false }, ticks: { show: false }, size: 38, gap: 4, space: 90,
        values: (/** @type {any} */ _, /** @type {number[]} */ at) => at.map((second, index) => {
          const moment = new Date(second * 1000);
          const day = dayOf.format(moment);
          const first = index === 0 || dayOf.format(new Date(at[index - 1] * 1000)) !== day;
          return clockOf.format(moment) + (first ? `\n${day}` : "");
        }) },
      { font, stroke: words, grid: { stroke: line, width: 1 }, ticks: { show: false }, size: 46, gap: 6, space: 28, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4, 2e4, 5e4, 1e5, 2e5, 5e5, 1e6, 2e6, 5e6],
        values: (/** @type {any} */ _, /** @type {number[]} */ at) => at.map(short) },
    ],
    hooks: { draw: pane.clean ? [drawBars(hours, true)] : [drawBars(hours, false), drawMarks(hours)], setCursor: [(/** @type {any} */ plot) => tip(plot, place, hours)] },
  }, [hours.map((hour) => hour.at), hours.map(total)], one(pane.clean ? "[data-pane=all]" : "[data-pane=unclean]", place));
}

/** @param {any} plot @param {HTMLElement} place @param {Hour[]} hours */
function tip(plot, place, hours) {
  one(".chart-tip", place)?.remove();
  if (plot.cursor.left < 0 || !plot.over.matches(":hover")) return;
  const hour = hours.find((each) => { const at = plot.posToVal(plot.cursor.left, "x"); return at >= each.at && at < each.at + step; });
  if (!hour) return;
  const rows = PARTS.filter((part) => hour.watched && !off.has(part.slug)).map((part) =>
    make("div", {}, make("i", { class: `dot ${({ finished: "ok", errors: "bad", timed_out: "time", finished_with_issues: "warn" })[part.slug] ?? ""}` }), part.slug.replaceAll("_", " "), make("span", {}, (hour.counts[part.slug] ?? 0).toLocaleString("en"))));
  const sum = PARTS.reduce((all, part) => all + (hour.counts[part.slug] ?? 0), 0);
  const box = make("div", { class: "chart-tip" }, make("div", {}, make("b", {}, hour.words), make("span", {}, hour.watched ? sum.toLocaleString("en") : "not watched yet")), ...rows);
  place.append(box);
  const frame = plot.over.getBoundingClientRect();
  const origin = place.getBoundingClientRect();
  const left = frame.left - origin.left + plot.cursor.left + 16;
  box.style.left = `${left + 220 > origin.width ? left - 252 : left}px`;
  box.style.top = "12px";
}

function redraw() {
  const place = one("#hours-chart");
  const table = one("#hours-table");
  if (!place || !table || place.hidden) return;
  for (const plot of drawn) plot.destroy();
  const hours = hoursOf(table);
  if (hours.length === 0) return;
  step = (hours[1]?.at ?? hours[0].at + step) - hours[0].at;
  const zone = place.dataset.zone ?? "UTC";
  drawn = [draw(place, hours, { clean: true, height: 108, zone }), draw(place, hours, { clean: false, height: 152, zone })];
}

document.addEventListener("click", (event) => {
  const target = event.target instanceof Element ? event.target.closest("[data-part], [data-as-table]") : null;
  if (!(target instanceof HTMLElement)) return;
  if (target.dataset.part) {
    const slug = target.dataset.part;
    if (off.has(slug)) off.delete(slug); else off.add(slug);
    target.setAttribute("aria-pressed", String(!off.has(slug)));
  } else {
    const [chart, table] = [one("#hours-chart"), one("#hours-table-wrap")];
    if (!chart || !table) return;
    chart.hidden = !chart.hidden;
    table.hidden = !chart.hidden;
    target.setAttribute("aria-pressed", String(chart.hidden));
  }
  redraw();
});
document.addEventListener("mouseout", (event) => { if (event.target instanceof Element && event.target.closest(".u-over")) one(".chart-tip")?.remove(); });
const start = one("#hours-chart");
if (start) {
  start.hidden = false;
  const wrap = one("#hours-table-wrap");
  if (wrap) wrap.hidden = true;
  const button = one("[data-as-table]");
  if (button) button.hidden = false;
  document.fonts.ready.then(redraw);
  addEventListener("resize", redraw);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
  document.addEventListener("syncwatch:part", redraw);
}
