// Adds videos: dropped, chosen, or named.

import { get, post, upload } from "/page/api.js";
import { byId, el, say, setText, trouble } from "/page/dom.js";
import { share } from "/page/words.js";

export async function listModels() {
  const { data } = await get("/v1/models");
  const served = data.filter((model) => model.served);
  served.sort((one, other) => Number(other.default) - Number(one.default));
  const options = served.map((model) => el("option", { value: model.id }, model.title));
  byId("model").replaceChildren(...options, el("option", { value: "" }, "no model"));
}

const choices = () => ({ model: byId("model").value, priority: Number(byId("priority").value) });

async function send(file, onAdded) {
  const bar = el("progress", { max: 1, value: 0, "aria-label": `Sending ${file.name}` });
  const far = el("span", {}, "0%");
  const row = el("li", {}, el("span", {}, file.name), bar, far);
  byId("sending").append(row);
  try {
    await upload(file, { name: file.name, ...choices() }, (part) => {
      bar.value = part;
      setText(far, share(part));
    });
    say(`${file.name} was added`);
    row.remove();
    onAdded();
  } catch (error) {
    const close = el("button", { type: "button" }, "Close");
    close.addEventListener("click", () => row.remove());
    bar.replaceWith(el("span", { class: "error", role: "alert" }, error.message));
    far.replaceWith(close);
  }
}

async function sendAll(files, onAdded) {
  for (const file of files) await send(file, onAdded);
}

export function listen(onAdded) {
  const drop = byId("drop");
  byId("files").addEventListener("change", (event) => {
    sendAll([...event.target.files], onAdded);
    event.target.value = "";
  });
  // Anywhere on the page: a browser would otherwise open a file that missed the box.
  document.addEventListener("dragover", (event) => {
    event.preventDefault();
    drop.classList.add("over");
  });
  document.addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) drop.classList.remove("over");
  });
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    drop.classList.remove("over");
    sendAll([...event.dataTransfer.files], onAdded);
  });
  byId("source").addEventListener("submit", async (event) => {
    event.preventDefault();
    const where = byId("where").value.trim();
    const key = /^https?:\/\//.test(where) ? "url" : "videoPath";
    try {
      const job = await post("/v1/jobs", { [key]: where, ...choices() });
      trouble("");
      say(`${job.title} was added`);
      byId("where").value = "";
      onAdded();
    } catch (error) {
      trouble(error.message);
    }
  });
}
