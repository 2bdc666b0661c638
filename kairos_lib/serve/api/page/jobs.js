// The list of jobs, with live progress of those that run.

import { follow, get, post } from "/page/api.js";
import { byId, el, say, setText, trouble } from "/page/dom.js";
import { clock, duration } from "/page/words.js";

const SHOWN = 30;
// A browser keeps six connections to a host: the other jobs are looked at with the list.
const FOLLOWED = 3;
const ENDED = new Set(["done", "failed", "cancelled"]);
const cards = new Map();
const followed = new Map();

export async function showJobs() {
  const { jobs } = await get(`/v1/jobs?limit=${SHOWN}`);
  byId("none").hidden = jobs.length > 0;
  const box = byId("list");
  jobs.forEach((job, index) => {
    const card = cards.get(job.id) ?? newCard(job);
    if (!followed.has(job.id)) update(card, job);
    if (box.children[index] !== card.box) box.insertBefore(card.box, box.children[index] ?? null);
  });
  const listed = new Set(jobs.map((job) => job.id));
  for (const [id, card] of cards) {
    if (listed.has(id)) continue;
    card.box.remove();
    cards.delete(id);
    followed.get(id)?.abort();
  }
  const unended = jobs.filter((job) => !ENDED.has(job.state) && !followed.has(job.id));
  unended.sort((one, other) => Number(other.state === "running") - Number(one.state === "running"));
  for (const job of unended.slice(0, FOLLOWED - followed.size)) watch(job.id);
}

function watch(id) {
  const stop = new AbortController();
  followed.set(id, stop);
  const onEvent = (kind, data) => {
    const card = cards.get(id);
    if (!card) return true;
    const job = kind === "job" ? data : { ...card.job, progress: data };
    if (kind === "progress" && job.state === "queued") job.state = "running";
    update(card, job);
    return ENDED.has(job.state);
  };
  follow(id, onEvent, stop.signal).finally(() => followed.delete(id));
}

function newCard(job) {
  const title = el("h3", { id: `job-${job.id}` });
  const state = el("span", { class: "pill" });
  const open = el("a", { href: `#job=${job.id}`, hidden: true }, "Open the result");
  const cancel = el("button", { type: "button", hidden: true }, "Cancel");
  const actions = el("span", { class: "actions" }, open, cancel);
  const facts = el("p", { class: "facts" });
  const bar = el("progress", { max: 1 });
  const parts = el("ul", { class: "parts" });
  const error = el("p", { class: "error" });
  const box = el(
    "article", { class: "job", "aria-labelledby": `job-${job.id}` },
    el("header", {}, title, state), actions, facts, bar, parts, error,
  );
  const card = { box, title, state, open, cancel, facts, bar, parts, error, job: null, drawn: "" };
  cancel.addEventListener("click", () => stopped(card));
  cards.set(job.id, card);
  return card;
}

async function stopped(card) {
  card.cancel.disabled = true;
  try {
    update(card, await post(`/v1/jobs/${card.job.id}/cancel`));
    say(`${card.job.title}: cancelling`);
  } catch (error) {
    trouble(`${card.job.title}: ${error.message}`);
  } finally {
    card.cancel.disabled = false;
  }
}

function update(card, job) {
  const before = card.job;
  card.job = job;
  if (before && before.state !== job.state && ENDED.has(job.state)) say(`${job.title}: ${job.state}`);
  setText(card.title, job.title);
  setText(card.state, job.state);
  card.state.dataset.state = job.state;
  card.box.dataset.state = job.state;
  setText(card.facts, facts(job));
  const ended = ENDED.has(job.state);
  card.open.hidden = job.state !== "done";
  card.open.setAttribute("aria-label", `Open the result of ${job.title}`);
  card.cancel.hidden = ended || job.state === "cancelling";
  card.cancel.setAttribute("aria-label", `Cancel ${job.title}`);
  card.bar.hidden = ended || job.state === "queued";
  card.bar.value = fraction(job.progress);
  card.bar.setAttribute("aria-label", `Progress of ${job.title}`);
  setText(card.error, job.reason && job.reason !== job.state ? job.reason : "");
  const analyzers = Object.entries(job.progress.analyzers);
  const now = JSON.stringify(analyzers);
  if (now !== card.drawn) {
    card.drawn = now;
    card.parts.replaceChildren(...analyzers.map(part));
  }
}

function part([name, one]) {
  const far = one.state === "running" && one.total ? ` ${one.done}/${one.total}` : "";
  const aside = ["reused", "skipped", "failed"].includes(one.state) ? ` ${one.state}` : "";
  const why = one.reason ? `: ${one.reason}` : "";
  const title = `${name}: ${one.state}${why}`;
  return el("li", { class: "pill", "data-state": one.state, title }, `${name}${far}${aside}`);
}

function fraction(progress) {
  const all = Object.values(progress.analyzers);
  if (!all.length) return progress.total ? progress.done / progress.total : 0;
  const far = all.map((one) => {
    if (!["waiting", "running"].includes(one.state)) return 1;
    return one.total ? Math.min(one.done / one.total, 1) : 0;
  });
  return far.reduce((sum, one) => sum + one, 0) / all.length;
}

function facts(job) {
  const parts = [job.videoPath ?? job.url ?? ""];
  if (job.model) parts.push(job.model);
  parts.push(`added ${clock(job.submitted_s)}`);
  if (job.finished_s) parts.push(`${job.state} after ${duration(job.finished_s - job.submitted_s)}`);
  return parts.filter(Boolean).join(" · ");
}
