// The page of one video: its timeline by keyboard, and filters of its scenes. Without this script
// all scenes are shown, and every mark is a link to its scene.
(() => {
  "use strict";
  const WAIT_MS = 120; // After the last key, before a search begins.
  const form = document.querySelector(".kairos .filters");
  const scenes = [...document.querySelectorAll(".kairos .scene")];
  const drawn = document.querySelector(".kairos .drawn");
  // Accents and capitals make no difference to a search.
  const folded = (text) => text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();
  const count = (number) => `${number} ${number === 1 ? "scene" : "scenes"}`;
  let reset = () => {};

  // The timeline.
  if (drawn) {
    const readout = document.querySelector(".kairos .readout");
    // Listened to here: an SVG that listens to the focus can be focused itself.
    const track = drawn.closest(".track");
    const cursor = drawn.querySelector(".cursor");
    const share = (mark, name) => parseFloat(mark.querySelector("rect").getAttribute(name));
    const rows = [...drawn.querySelectorAll(".row")]
      .map((row) => [...row.querySelectorAll("a")])
      .filter((row) => row.length);
    const marks = rows.flat();
    const found = (scene) => [...scene.querySelectorAll(".context > div")]
      .filter((line) => !line.querySelector("dd > .none"))
      .map((line) => `${line.firstElementChild.textContent}: ${line.lastElementChild.textContent}`);

    function show(mark) {
      cursor.setAttribute("x", `${share(mark, "x")}%`);
      cursor.setAttribute("width", `${share(mark, "width")}%`);
      const scene = document.querySelector(mark.getAttribute("href"));
      const bold = document.createElement("b");
      bold.textContent = mark.getAttribute("aria-label");
      readout.replaceChildren(bold);
      if (scene && mark.closest(".scene-lane")) readout.append(` ${found(scene).join(" · ")}`);
    }
    // One stop for the tab key, as in any widget that arrow keys move about in.
    function choose(mark) {
      for (const other of marks) other.setAttribute("tabindex", other === mark ? "0" : "-1");
    }
    function nearest(row, x) {
      return row.reduce((best, mark) =>
        Math.abs(share(mark, "x") - x) < Math.abs(share(best, "x") - x) ? mark : best);
    }
    const STEPS = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };
    track.addEventListener("keydown", (event) => {
      const mark = event.target.closest("a");
      const number = rows.findIndex((row) => row.includes(mark));
      if (number < 0 || event.ctrlKey || event.altKey || event.metaKey) return;
      const row = rows[number];
      let next;
      if (event.key === "Home") next = row[0];
      else if (event.key === "End") next = row.at(-1);
      else if (event.key in STEPS) {
        const [down, along] = STEPS[event.key];
        next = down
          ? rows[number + down] && nearest(rows[number + down], share(mark, "x"))
          : row[row.indexOf(mark) + along];
      } else return;
      event.preventDefault();
      next?.focus();
    });
    track.addEventListener("focusin", (event) => {
      const mark = event.target.closest("a");
      if (!mark) return;
      choose(mark);
      show(mark);
      mark.querySelector("rect").scrollIntoView({ block: "nearest", inline: "nearest" });
      // Not beneath the names, which stay at the left.
      const hidden = track.querySelector(".names").getBoundingClientRect().right
        - mark.getBoundingClientRect().left;
      if (hidden > 0) track.scrollLeft -= hidden + 12;
    });
    track.addEventListener("pointerover", (event) => {
      const mark = event.target.closest("a");
      if (mark) show(mark);
    });
    track.addEventListener("click", (event) => {
      const mark = event.target.closest("a");
      const scene = mark && document.querySelector(mark.getAttribute("href"));
      if (!scene) return;
      // Also where the address names that scene already, or where it is filtered out.
      event.preventDefault();
      if (scene.hidden) reset();
      location.hash = scene.id;
      scene.focus({ preventScroll: true });
      scene.scrollIntoView();
    });
    const fit = document.querySelector(".kairos .fit");
    fit?.addEventListener("click", () => {
      const whole = track.classList.toggle("whole");
      fit.setAttribute("aria-pressed", String(whole));
    });
    choose(marks[0]);
    for (const piece of document.querySelectorAll(".kairos .scripted")) piece.hidden = false;
  }

  // The filters.
  if (!form || scenes.length === 0) return;
  const selects = [...form.querySelectorAll("select[data-labels]")];
  const cards = scenes.map((element) => ({
    element,
    labels: JSON.parse(element.dataset.labels),
    text: folded(element.querySelector(".context").textContent),
    mark: drawn?.querySelector(`.scene-lane a[href="#${element.id}"]`),
  }));
  for (const select of selects) {
    const labels = [...new Set(cards.flatMap((card) => card.labels[select.dataset.labels] ?? []))];
    labels.sort((one, other) => one.localeCompare(other));
    select.append(new Option("any", ""), ...labels.map((label) => new Option(label, label)));
  }

  function apply() {
    const words = folded(form.elements.words.value).split(/\s+/).filter(Boolean);
    const counts = new Map(selects.map((select) => [select, new Map()]));
    let shown = 0;
    for (const card of cards) {
      const matched = words.every((word) => card.text.includes(word));
      const missed = selects.filter(
        (select) => select.value && !(card.labels[select.dataset.labels] ?? []).includes(select.value));
      const there = matched && missed.length === 0;
      card.element.hidden = !there;
      card.mark?.classList.toggle("out", !there);
      shown += there;
      if (!matched) continue;
      // A choice is counted as if it were taken in place of its own list's.
      for (const select of selects) {
        if (missed.some((other) => other !== select)) continue;
        const of = counts.get(select);
        for (const label of ["", ...(card.labels[select.dataset.labels] ?? [])]) {
          of.set(label, (of.get(label) ?? 0) + 1);
        }
      }
    }
    for (const select of selects) {
      for (const option of select.options) {
        option.text = `${option.value || "any"} (${counts.get(select).get(option.value) ?? 0})`;
      }
    }
    const all = cards.length;
    form.elements.found.value = shown === all ? count(all) : `${shown} of ${count(all)}`;
    form.querySelector("[type=reset]").hidden = !words.length && selects.every((s) => !s.value);
  }

  const box = form.querySelector("input[name=boxes]");
  let waiting;
  form.addEventListener("input", (event) => {
    if (event.target === box) {
      document.querySelector(".kairos .listed").classList.toggle("bare", !box.checked);
      return;
    }
    clearTimeout(waiting);
    waiting = setTimeout(apply, event.target.name === "words" ? WAIT_MS : 0);
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    apply();
  });
  reset = () => {
    form.elements.words.value = "";
    for (const select of selects) select.value = "";
    clearTimeout(waiting);
    apply();
  };
  // What is drawn on pictures is no filter: it stays as it is.
  form.addEventListener("reset", (event) => {
    event.preventDefault();
    reset();
    form.elements.words.focus();
  });
  // A link to a scene that is filtered out shows it.
  window.addEventListener("hashchange", () => {
    const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (target?.closest("[hidden]")) {
      reset();
      target.scrollIntoView();
    }
  });
  form.hidden = false;
  apply();
})();
