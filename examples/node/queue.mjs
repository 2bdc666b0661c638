// The queue that Kairos works on, and its events. Knows nothing of pages.
import { Queue, QueueEvents } from "bullmq";
import { Redis } from "ioredis";

export const NAME = "vlm-process";
// Where `make serve` has its own.
const url = process.env.REDIS_URL || "redis://127.0.0.1:6390";
// Waits for a Redis that is away, for as long as it is.
const connection = { url, maxRetriesPerRequest: null };

export const OPTIONS = {
  attempts: 3,
  backoff: { type: "exponential", delay: 5000 },
  // Seconds; results are files of Kairos and stay.
  removeOnComplete: { age: 7 * 24 * 3600 },
  removeOnFail: { age: 30 * 24 * 3600 },
};

export function openQueue() {
  return told(new Queue(NAME, { connection }));
}

// Adds a film; `priority` 1 goes before 5, and none goes first.
export function add(queue, data, priority) {
  return queue.add(NAME, data, priority ? { ...OPTIONS, priority } : OPTIONS);
}

// Events from now on, with none lost. By default QueueEvents begins to read some time after
// waitUntilReady, and what a fast job told until then is lost; so it is told where to begin, and
// begins once `listen` has been called with it.
export async function openEvents(queue, listen = () => {}) {
  const redis = told(new Redis(url, { maxRetriesPerRequest: null }));
  const newest = await redis.xrevrange(queue.toKey("events"), "+", "-", "COUNT", 1);
  await redis.quit();
  const lastEventId = newest.length ? newest[0][0] : "0-0";
  const events = told(new QueueEvents(NAME, { connection, lastEventId, autorun: false }));
  await events.waitUntilReady();
  listen(events);
  events.run().catch((error) => events.emit("error", error));
  return events;
}

// How a job stands: also for whoever comes late, or comes back. None where there is no such job.
export async function standing(queue, id) {
  const job = await queue.getJob(id);
  if (!job) return null;
  const state = await job.getState();
  if (state === "completed") return { event: "completed", job: id, result: job.returnvalue };
  if (state === "failed") return { event: "failed", job: id, reason: job.failedReason };
  return { event: "progress", job: id, state, progress: job.progress };
}

// The three events of a job in the same form as `standing` gives; returns what ends it.
export function follow(events, id, tell) {
  const listeners = {
    progress: ({ jobId, data }) => tellOwn(jobId, { event: "progress", progress: data }),
    completed: ({ jobId, returnvalue }) =>
      tellOwn(jobId, { event: "completed", result: returnvalue }),
    failed: ({ jobId, failedReason }) => tellOwn(jobId, { event: "failed", reason: failedReason }),
  };
  function tellOwn(jobId, { event, ...rest }) {
    if (id === undefined || jobId === id) tell({ event, job: jobId, ...rest });
  }
  for (const [name, listener] of Object.entries(listeners)) events.on(name, listener);
  return () => {
    for (const [name, listener] of Object.entries(listeners)) events.off(name, listener);
  };
}

// One line for a Redis that is away, and not one for each attempt to reach it.
function told(client) {
  let last = "";
  client.on("error", (error) => {
    const line = `redis: ${error.message || error.code}`;
    if (line !== last) console.error((last = line));
  });
  return client;
}
