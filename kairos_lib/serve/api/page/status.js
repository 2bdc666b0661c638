// What runs where.

import { showCharts } from "/page/charts.js";
import { byId, el, setText } from "/page/dom.js";
import { count, factor, memory, share } from "/page/words.js";

let shown = "";

export function showStatus(status) {
  setText(byId("title"), status.title);
  document.title = `${status.running ? `(${status.running}) ` : ""}${status.title} · Kairos`;
  setText(byId("extent"), extent(status));
  setText(byId("limit"), `up to ${memory(status.upload_bytes / 2 ** 20)}`);
  // Redrawn only if something changed, so that what a reader selected stays.
  const now = JSON.stringify([status.groups, status.gpus], (key, value) =>
    key === "seen_s" || key === "up_s" ? undefined : value,
  );
  if (now !== shown) {
    shown = now;
    byId("groups").replaceChildren(...status.groups.flatMap(rows));
    byId("gpus").replaceChildren(...status.gpus.map(gpu));
  }
  showCharts(byId("charts"), status.series);
}

function extent(status) {
  const parts = [
    `${count(status.waiting, "job")} waiting`, `${status.running} running`, `${status.done} done`,
  ];
  if (status.failed) parts.push(`${status.failed} failed`);
  if (status.rtf !== null) parts.push(`${factor(status.rtf)} the videos’ length`);
  if (status.hit_rate !== null) parts.push(`models found loaded: ${share(status.hit_rate)}`);
  return parts.join(" · ");
}

function cell(title, text, kind = "number", more = "") {
  return el("td", { class: kind, "data-title": title }, text, more ? el("small", {}, more) : null);
}

function rows(group) {
  const does = group.model ? `captions by ${group.model}` : group.analyzers.join(", ");
  if (!group.workers.length) {
    const state = el("span", { class: "pill", "data-state": "none" }, "no process");
    const name = el("th", { scope: "row" }, group.name);
    const waiting = cell("Waiting", String(group.waiting));
    const rest = ["Memory", "Device memory", "Found loaded", "Done", "Errors"];
    return [
      el("tr", {}, name, cell("Does", does, "wide"), cell("Device", group.device, ""),
        cell("State", state, ""), waiting, ...rest.map((title) => cell(title, ""))),
    ];
  }
  return group.workers.map((worker, index) => {
    const state = el("span", { class: "pill", "data-state": worker.state }, worker.state);
    const asked = worker.hits + worker.loads;
    return el(
      "tr", {},
      el("th", { scope: "row" }, index ? el("span", { class: "quiet" }, group.name) : group.name),
      cell("Does", index ? "" : does, "wide"),
      cell("Device", worker.device, "", `${worker.host}, ${worker.pid}`),
      cell("State", state, ""),
      cell("Waiting", index ? "" : String(group.waiting)),
      cell("Memory", memory(worker.rss_mib)),
      cell("Device memory", worker.vram_mib ? memory(worker.vram_mib) : ""),
      cell("Found loaded", asked ? share(worker.hits / asked) : ""),
      cell("Done", String(worker.jobs)),
      cell("Errors", String(worker.errors)),
    );
  });
}

function gpu(one) {
  const used = `${memory(one.used_mib)} of ${memory(one.total_mib)}`;
  return el("li", {}, `GPU ${one.index}, ${one.name}: ${Math.round(one.percent)}% in use, ${used}`);
}
