// node listener.mjs [JOB]: prints progress, completed and failed of all jobs, or of one until it
// ends, as a line of JSON each.
import { follow, openEvents, openQueue, standing } from "./queue.mjs";

const [id] = process.argv.slice(2);
const queue = openQueue();
let ended = false;
const events = await openEvents(queue, (opened) => follow(opened, id, tell));

function tell(told) {
  if (ended) return;
  console.log(JSON.stringify(told));
  if (id !== undefined && told.event !== "progress") end(told.event === "completed" ? 0 : 1);
}

async function end(code) {
  ended = true;
  await Promise.all([events.close(), queue.close()]);
  process.exit(code);
}

for (const name of ["SIGINT", "SIGTERM"]) process.on(name, () => end(0));
if (id !== undefined) {
  const told = await standing(queue, id);
  if (told) tell(told);
  else {
    console.error(`there is no job ${id}`);
    await end(2);
  }
}
