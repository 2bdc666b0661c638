// Adds films and follows them. All that comes from elsewhere becomes text, never markup.
const jobs = document.getElementById("jobs");
const problem = document.getElementById("problem");
const path = document.getElementById("path");

document.getElementById("add").addEventListener("submit", async (event) => {
  event.preventDefault();
  problem.textContent = "";
  try {
    const answer = await fetch("/jobs", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ videoPath: path.value }),
    });
    const said = await answer.json();
    if (!answer.ok) throw new Error(said.error);
    show(said.id, path.value);
    path.value = "";
  } catch (error) {
    problem.textContent = `It was not added: ${error.message}`;
  }
});

function show(id, name) {
  const item = document.getElementById("job").content.firstElementChild.cloneNode(true);
  const [status, bar, list] = ["p", "progress", "ul"].map((tag) => item.querySelector(tag));
  item.querySelector("h2").textContent = name;
  jobs.prepend(item);
  status.textContent = "waiting";
  const source = new EventSource(`/jobs/${encodeURIComponent(id)}/events`);
  source.addEventListener("progress", ({ data }) => {
    const { state, progress } = JSON.parse(data);
    status.textContent = progress?.state ?? state ?? "waiting";
    if (progress?.total) {
      bar.max = progress.total;
      bar.value = progress.done;
    }
    list.replaceChildren(...Object.entries(progress?.analyzers ?? {}).map(line));
  });
  source.addEventListener("completed", ({ data }) => {
    end(`done: ${JSON.parse(data).result?.result ?? ""}`);
    bar.max = bar.value = 1;
  });
  source.addEventListener("failed", ({ data }) => end(`failed: ${JSON.parse(data).reason}`));
  // The browser tries again by itself, and is told how the job stands.
  source.addEventListener("error", () => {
    if (source.readyState === EventSource.CLOSED) end("it cannot be followed: load the page again");
  });

  function end(words) {
    source.close();
    status.textContent = words;
    bar.value = bar.value || 0; // One without a value would seem to go on.
  }
}

function line([name, { state, done, total, reason }]) {
  const item = document.createElement("li");
  const count = total ? ` (${done} of ${total})` : "";
  item.textContent = `${name}: ${state}${count}${reason ? `: ${reason}` : ""}`;
  return item;
}
