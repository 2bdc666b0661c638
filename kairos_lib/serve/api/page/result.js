// A finished job: its scenes, what is seen and heard in them, and their captions.

import { get, picture } from "/page/api.js";
import { byId, el } from "/page/dom.js";
import { count, duration, timeCode } from "/page/words.js";

const AT_ONCE = 100;
const NOT_SHOWN = new Set(["scene", "caption", "segments", "detections", "schema_version"]);
const NAMES = { transcript: "Speech" };
let pictures = [];

export async function showResult(job) {
  const box = byId("result");
  box.replaceChildren(el("p", { class: "quiet" }, "Reading the result …"));
  let view;
  let result;
  try {
    [view, result] = await Promise.all([get(`/v1/jobs/${job}`), get(`/v1/jobs/${job}/result`)]);
  } catch (error) {
    box.replaceChildren(back(), el("p", { class: "notice bad", role: "alert" }, error.message));
    return;
  }
  const scenes = result.scenes ?? [];
  const title = el("h1", { tabindex: -1 }, view.title);
  const list = el("div");
  box.replaceChildren(
    back(), el("p", { class: "brand" }, "Kairos ", el("span", {}, "analysed video")), title,
    el("p", { class: "extent" }, extent(result.result ?? {}, scenes)), download(view, result), list,
  );
  document.title = `${view.title} · Kairos`;
  more(list, job, scenes, 0);
  title.focus();
  window.scrollTo(0, 0);
}

export function hideResult() {
  byId("result").replaceChildren();
  pictures.forEach((address) => URL.revokeObjectURL(address));
  pictures = [];
}

function back() {
  return el("p", { class: "back" }, el("a", { href: "#" }, "← All jobs"));
}

function extent(head, scenes) {
  const parts = [count(scenes.length, "scene")];
  if (head.duration_s) parts.unshift(duration(head.duration_s));
  parts.push(head.model ? `captions by ${head.model}` : "no captions");
  return parts.join(" · ");
}

function download(view, result) {
  const address = URL.createObjectURL(new Blob([JSON.stringify(result, null, 2)], { type: "application/json" }));
  pictures.push(address);
  return el("p", { class: "quiet" }, el("a", { href: address, download: `${view.id}.json` }, "The result as JSON"));
}

function more(list, job, scenes, from) {
  list.append(...scenes.slice(from, from + AT_ONCE).map((one) => scene(job, one)));
  const left = scenes.length - from - AT_ONCE;
  if (left <= 0) return;
  const button = el("button", { type: "button" }, `Show ${Math.min(left, AT_ONCE)} more of ${left}`);
  button.addEventListener("click", () => {
    button.remove();
    more(list, job, scenes, from + AT_ONCE);
  });
  list.append(button);
}

function scene(job, one) {
  const { index = 0, start_s: start = 0, end_s: end = 0, thumbnails = [] } = one.scene ?? {};
  const side = el(
    "div", {}, el("h3", {}, `Scene ${index + 1}`),
    el("p", { class: "when" }, `${timeCode(start)}–${timeCode(end)}`),
  );
  const name = thumbnails.at(-1);
  if (name) {
    const image = el("img", { alt: "", loading: "lazy" });
    side.append(image);
    seen.observe(image);
    wanted.set(image, `/v1/jobs/${job}/thumbnails/${encodeURIComponent(name)}`);
  }
  const found = el("dl");
  for (const [key, value] of Object.entries(one)) {
    const text = NOT_SHOWN.has(key) ? "" : words(value);
    if (!text) continue;
    const label = NAMES[key] ?? key[0].toUpperCase() + key.slice(1);
    found.append(el("div", {}, el("dt", {}, label), el("dd", {}, text)));
  }
  return el("section", { class: "scene" }, side, el("div", {}, caption(one.caption), found));
}

function caption(one) {
  if (!one) return null;
  if (one.error) return el("p", { class: "error" }, one.error);
  return el("blockquote", {}, `${one.text}${one.truncated ? " …" : ""}`);
}

// What an analyzer found, whichever it is: texts, or records with a label or a text.
function words(value) {
  if (typeof value === "string") return value;
  if (!Array.isArray(value)) return "";
  const said = value.map((one) => {
    if (typeof one === "string") return one;
    const text = one?.label ?? one?.text ?? "";
    return one?.count > 1 ? `${text} × ${one.count}` : text;
  });
  return said.filter(Boolean).join(", ");
}

// Pictures come with the token, so they are fetched, and only once they are about to be seen.
const wanted = new WeakMap();
const seen = new IntersectionObserver((entries) => {
  for (const { isIntersecting, target } of entries) {
    if (!isIntersecting) continue;
    seen.unobserve(target);
    picture(wanted.get(target)).then((address) => {
      pictures.push(address);
      target.src = address;
    }, () => target.remove());
  }
}, { rootMargin: "400px" });
