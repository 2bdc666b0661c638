// Search and filters of the scenes on this page. Without this script all of them are shown.
(() => {
  "use strict";
  const form = document.querySelector(".kairos .filters");
  const scenes = [...document.querySelectorAll(".kairos .scene")];
  if (!form || scenes.length === 0) return;

  const WAIT_MS = 120; // After the last key, before a search begins.
  const PREFIX = "#show:";
  // Labels that analyzers gave to scenes, a list for each analyzer.
  const LABELS = [...form.querySelectorAll("select[data-labels]")].map(({ name }) => name);
  const FACETS = ["video", ...LABELS, "status"];
  const STATUSES = ["captioned", "cut off", "failed", "without caption"];
  const everything = Object.fromEntries(FACETS.map((f) => [f, f === "video" ? "all" : "any"]));
  // Accents and capitals make no difference to a search.
  const folded = (text) => text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();

  const cards = scenes.map((element) => ({
    element,
    values: {
      video: [element.dataset.video],
      ...Object.fromEntries(LABELS.map((facet) => [facet, []])),
      ...JSON.parse(element.dataset.labels),
      status: [],
    },
    speech: folded(element.querySelector(".context q")?.textContent ?? ""),
    said: [...element.querySelectorAll(".said")].map((piece) => ({
      element: piece,
      model: piece.dataset.model,
      status: piece.dataset.status,
      text: folded(piece.querySelector(".caption")?.textContent ?? ""),
    })),
  }));
  const sections = [...document.querySelectorAll(".kairos .gallery")];

  // The choices there are, with their titles.
  const titles = Object.fromEntries(FACETS.map((facet) => [facet, new Map()]));
  const models = new Map();
  for (const card of cards) {
    const section = card.element.closest(".gallery");
    titles.video.set(card.values.video[0], section.querySelector("h3").textContent);
    for (const facet of LABELS) {
      for (const label of card.values[facet]) titles[facet].set(label, label);
    }
    for (const said of card.said) {
      titles.status.set(said.status, said.status);
      models.set(said.model, said.element.querySelector(".name").textContent);
    }
  }

  function addOption(facet, value) {
    form.elements[facet].append(new Option(titles[facet].get(value) ?? value, value));
  }
  for (const facet of FACETS) {
    const select = form.elements[facet];
    select.append(new Option(everything[facet], ""));
    const values = [...titles[facet].keys()];
    if (LABELS.includes(facet)) values.sort((a, b) => a.localeCompare(b));
    if (facet === "status") values.sort((a, b) => STATUSES.indexOf(a) - STATUSES.indexOf(b));
    for (const value of values) addOption(facet, value);
    // One choice is none.
    select.closest("label").hidden = values.length < 2;
  }
  const boxes = [...models].map(([model, title]) => {
    const label = document.createElement("label");
    const box = Object.assign(document.createElement("input"), {
      type: "checkbox", name: "model", value: model, checked: true, defaultChecked: true,
    });
    const name = document.createElement("span");
    label.append(box, name);
    form.querySelector("fieldset").append(label);
    return { box, name, title };
  });
  form.querySelector("fieldset").hidden = boxes.length < 2;

  function apply() {
    const words = folded(form.elements.words.value).split(/\s+/).filter(Boolean);
    const wanted = Object.fromEntries(FACETS.map((facet) => [facet, form.elements[facet].value]));
    const chosen = new Set(boxes.filter(({ box }) => box.checked).map(({ box }) => box.value));
    const counts = Object.fromEntries(FACETS.map((facet) => [facet, new Map()]));
    const captioned = new Map();
    const add = (map, value) => map.set(value, (map.get(value) ?? 0) + 1);
    let found = 0;

    for (const card of cards) {
      const said = card.said.filter(({ model }) => chosen.has(model));
      card.values.status = [...new Set(said.map(({ status }) => status))];
      const text = [card.speech, ...said.map((one) => one.text)];
      const matched = words.every((word) => text.some((one) => one.includes(word)));
      const missed = FACETS.filter(
        (facet) => wanted[facet] && !card.values[facet].includes(wanted[facet]));
      card.shown = matched && missed.length === 0;
      found += card.shown;
      if (!matched) continue;
      // A choice is counted as if it were taken in place of its own list's.
      for (const facet of FACETS) {
        if (missed.some((other) => other !== facet)) continue;
        add(counts[facet], "");
        for (const value of new Set(card.values[facet])) add(counts[facet], value);
      }
      if (card.shown) for (const one of card.said) if (one.text) add(captioned, one.model);
    }

    for (const card of cards) {
      card.element.hidden = !card.shown;
      for (const one of card.said) one.element.hidden = !chosen.has(one.model);
    }
    const narrowed = found < cards.length;
    for (const section of sections) {
      section.hidden = narrowed && !section.querySelector(".scene:not([hidden])");
    }
    for (const facet of FACETS) {
      for (const option of form.elements[facet].options) {
        const title = option.value ? titles[facet].get(option.value) ?? option.value : everything[facet];
        option.text = `${title} (${counts[facet].get(option.value) ?? 0})`;
      }
    }
    for (const { box, name, title } of boxes) {
      name.textContent = `${title} (${captioned.get(box.value) ?? 0})`;
    }
    form.elements.found.value = found === cards.length
      ? `${found} scenes`
      : `${found} of ${cards.length} scenes`;
    form.querySelector("[type=reset]").hidden = !remember(words, wanted, chosen);
  }

  // What is chosen goes into the address, and with it to the other pages of scenes.
  function remember(words, wanted, chosen) {
    const state = new URLSearchParams();
    if (words.length) state.set("words", words.join(" "));
    for (const facet of FACETS) if (wanted[facet]) state.set(facet, wanted[facet]);
    for (const { box } of boxes) if (!chosen.has(box.value)) state.append("without", box.value);
    const hash = `${state}` && PREFIX + state;
    for (const link of document.querySelectorAll(".pages a")) link.hash = hash || "#scenes";
    if (hash !== location.hash && (hash || location.hash.startsWith(PREFIX))) {
      try {
        history.replaceState(null, "", hash || "#scenes");
      } catch {
        // Some viewers show pages without an address of their own; filters work all the same.
      }
    }
    return Boolean(hash);
  }

  function recall() {
    const state = new URLSearchParams(location.hash.slice(PREFIX.length));
    form.elements.words.value = state.get("words") ?? "";
    for (const facet of FACETS) {
      const value = state.get(facet) ?? "";
      // Chosen on another page, where there is something of it.
      if (value && !titles[facet].has(value)) {
        titles[facet].set(value, value);
        addOption(facet, value);
        form.elements[facet].closest("label").hidden = false;
      }
      form.elements[facet].value = value;
    }
    const without = state.getAll("without");
    for (const { box } of boxes) box.checked = !without.includes(box.value);
  }

  let waiting;
  form.addEventListener("input", (event) => {
    clearTimeout(waiting);
    waiting = setTimeout(apply, event.target.name === "words" ? WAIT_MS : 0);
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    apply();
  });
  form.addEventListener("reset", () => {
    clearTimeout(waiting);
    waiting = setTimeout(() => {
      apply();
      form.elements.words.focus();
    });
  });
  // A link to a scene that is filtered out shows it.
  window.addEventListener("hashchange", () => {
    if (location.hash.startsWith(PREFIX)) {
      recall();
      apply();
      return;
    }
    const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (target?.closest("[hidden]")) {
      form.reset();
      clearTimeout(waiting);
      apply();
      target.scrollIntoView();
    }
  });

  form.hidden = false;
  if (location.hash.startsWith(PREFIX)) {
    recall();
    apply();
    form.parentElement.scrollIntoView();
  } else {
    apply();
  }
})();
