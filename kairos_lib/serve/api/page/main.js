// The service's page: looks at the service again and again, and shows a result where one is open.

import { get, useToken } from "/page/api.js";
import { listModels, listen } from "/page/adding.js";
import { byId, trouble } from "/page/dom.js";
import { showJobs } from "/page/jobs.js";
import { hideResult, showResult } from "/page/result.js";
import { showStatus } from "/page/status.js";

const EVERY_MS = 2000;
let modelsListed = false;
let lost = false;

async function look() {
  try {
    if (!modelsListed) {
      await listModels();
      modelsListed = true;
    }
    const [status] = await Promise.all([get("/v1/status"), showJobs()]);
    showStatus(status);
    byId("token").hidden = true;
    if (lost) trouble("");
    lost = false;
  } catch (error) {
    if (error.status === 401) return;
    lost = true;
    trouble(error.status ? error.message : "The service does not answer; trying again.");
  }
}

async function keepLooking() {
  // Nobody sees a hidden page.
  if (!document.hidden && byId("token").hidden) await look();
  setTimeout(keepLooking, EVERY_MS);
}

function route() {
  const job = /^#job=([A-Za-z0-9_-]{1,64})$/.exec(location.hash)?.[1];
  byId("overview").hidden = Boolean(job);
  byId("result").hidden = !job;
  hideResult();
  if (job) showResult(job);
  // The browser looked for it before it was shown.
  else if (location.hash.length > 1) byId(location.hash.slice(1))?.scrollIntoView();
}

document.addEventListener("token-wanted", () => {
  if (!byId("token").hidden) return;
  byId("token").hidden = false;
  byId("secret").focus();
});
byId("token").addEventListener("submit", (event) => {
  event.preventDefault();
  useToken(byId("secret").value.trim());
  byId("secret").value = "";
  byId("token").hidden = true;
  look();
});
document.addEventListener("visibilitychange", () => document.hidden || look());
window.addEventListener("hashchange", route);
listen(look);
route();
keepLooking();
