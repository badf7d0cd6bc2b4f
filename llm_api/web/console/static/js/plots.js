// Draws plots from the tables beside them, by uPlot: what a plot shows is what its table says.

import { language, number } from "./texts.js";

const HEIGHT = 260;
const COLORS = 6;
const DASHES = [[], [8, 4], [2, 3], [12, 4, 2, 4], [4, 4], [16, 4]];
const DAY_S = 86400;
// Pixels from one text below a plot to the next: a day, or a day and an hour.
const DAY_SPACE = 64;
const HOUR_SPACE = 104;
const plots = [];

/** Draws every plot of the page. */
export function drawPlots() {
  for (const box of document.querySelectorAll("[data-plot]")) draw(box);
}

function draw(box) {
  const place = box.querySelector(".plot");
  const table = box.querySelector("table");
  const names = [...table.tHead.rows[0].cells].slice(1).map((cell) => cell.textContent);
  const rows = [...table.tBodies[0].rows];
  const times = rows.map((row) => Number(row.cells[0].dataset.at));
  const values = names.map((_, at) => rows.map((row) => valueOf(row.cells[at + 1])));
  place.append(document.createElement("div")); // it has a place now, whose width is known
  const plot = new uPlot(optionsOf(place, names, times), [times, ...values], place.firstChild);
  plots.push(plot);
}

function valueOf(cell) {
  return cell.dataset.value === "" ? null : Number(cell.dataset.value);
}

function optionsOf(place, names, times) {
  const isByDay = times.length > 1 && times[1] - times[0] >= DAY_S;
  const axis = { stroke: colorOf(place, "plot-text"), grid: { stroke: colorOf(place, "plot-line"), width: 1 }, ticks: { show: false } };
  return {
    width: widthOf(place),
    height: HEIGHT,
    tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1e3), "Etc/UTC"),
    scales: { y: { range: (_, __, most) => [0, most > 0 ? most * 1.05 : 1] } },
    axes: [{ ...axis, space: isByDay ? DAY_SPACE : HOUR_SPACE, values: (_, ticks) => ticks.map((at) => timeText(at, isByDay)) }, { ...axis, size: 64, values: (_, ticks) => ticks.map((value) => number(value, { notation: "compact" })) }],
    series: [
      { label: "UTC", value: (_, at) => (at === null ? "–" : timeText(at, isByDay)) },
      ...names.map((label, at) => seriesOf(place, label, at)),
    ],
  };
}

function seriesOf(place, label, at) {
  return {
    label,
    stroke: colorOf(place, `series-${(at % COLORS) + 1}`),
    width: 2,
    dash: DASHES[at % DASHES.length],
    points: { show: false },
    value: (_, value) => (value === null || value === undefined ? "–" : number(value, { maximumFractionDigits: 6 })),
  };
}

function timeText(seconds, isByDay) {
  const shown = isByDay ? { month: "short", day: "numeric" } : { day: "numeric", hour: "2-digit", minute: "2-digit" };
  return new Intl.DateTimeFormat(language, { ...shown, timeZone: "UTC" }).format(new Date(seconds * 1e3));
}

/** Returns a color of the style sheet, which has one for the light and one for the dark. */
function colorOf(place, name) {
  const probe = document.createElement("span");
  probe.className = name;
  place.append(probe);
  const { color } = getComputedStyle(probe);
  probe.remove();
  return color;
}

function widthOf(place) {
  const style = getComputedStyle(place);
  return Math.max(200, place.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight));
}

function resizeAll() {
  for (const plot of plots) {
    const place = plot.root.closest(".plot");
    if (place) plot.setSize({ width: widthOf(place), height: HEIGHT });
  }
}

addEventListener("resize", resizeAll);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  for (const plot of plots.splice(0)) plot.destroy();
  for (const place of document.querySelectorAll("[data-plot] .plot")) place.replaceChildren();
  drawPlots();
});
