// Small charts of the last minutes: a line with gaps where nothing was seen, and a sentence.

import { el, setText, svg } from "/page/dom.js";
import { memory } from "/page/words.js";

const WIDTH = 300;
const HEIGHT = 60;
const whole = (value) => String(Math.round(value * 10) / 10);
const CHARTS = [
  ["jobs_per_minute", "jobs a minute", whole],
  ["waiting", "jobs waiting", whole],
  ["memory_mib", "memory of all processes", memory],
  ["gpu_percent", "of the busiest GPU in use", (value) => `${Math.round(value)}%`],
];
const drawn = new Map();

export function showCharts(box, series) {
  for (const [name, title, write] of CHARTS) {
    const values = series[name];
    const seen = values.filter((value) => value !== null);
    const chart = drawn.get(name) ?? made(box, name);
    chart.figure.hidden = !seen.length;
    if (!seen.length) continue;
    const now = values.at(-1) ?? values.at(-2) ?? 0;
    const most = Math.max(...seen);
    setText(chart.now, write(now));
    setText(chart.title, `${title}, at most ${write(most)}`);
    const minutes = Math.round((values.length * series.every_s) / 60);
    chart.svg.setAttribute("aria-label", `The last ${minutes} minutes: ${write(now)} ${title} now, at most ${write(most)}.`);
    const [line, area] = paths(values, most || 1);
    chart.curve.setAttribute("d", line);
    chart.area.setAttribute("d", area);
  }
}

function made(box, name) {
  const now = el("b");
  const title = el("span");
  const area = svg("path", { class: "area" });
  const curve = svg("path", { class: "curve" });
  const floor = svg("line", { class: "floor", x1: 0, x2: WIDTH, y1: HEIGHT, y2: HEIGHT });
  const options = { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img" };
  const picture = svg("svg", options, floor, area, curve);
  const figure = el("figure", {}, el("figcaption", {}, now, title), picture);
  box.append(figure);
  const chart = { figure, now, title, area, curve, svg: picture };
  drawn.set(name, chart);
  return chart;
}

function paths(values, most) {
  const step = WIDTH / Math.max(values.length - 1, 1);
  let line = "";
  let area = "";
  let start = -1;
  values.forEach((value, index) => {
    if (value !== null) {
      const at = `${(index * step).toFixed(1)} ${(HEIGHT * (1 - value / most)).toFixed(1)}`;
      if (start < 0) {
        start = index;
        area += `M${(index * step).toFixed(1)} ${HEIGHT}`;
      }
      line += `${start === index ? "M" : "L"}${at}`;
      area += `L${at}`;
    }
    const ends = start >= 0 && (value === null || index === values.length - 1);
    if (ends) {
      const last = value === null ? index - 1 : index;
      // A moment alone is shown as a short stroke.
      if (last === start) line += "h0.5";
      area += `L${(last * step).toFixed(1)} ${HEIGHT}Z`;
      start = -1;
    }
  });
  return [line, area];
}
