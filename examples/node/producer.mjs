// node producer.mjs /films/match.mp4 [PRIORITY]: adds a film for Kairos, and prints the job's id.
import { add, openQueue } from "./queue.mjs";

const [videoPath, priority = "0"] = process.argv.slice(2);
if (!videoPath || !/^\d{1,6}$/.test(priority)) {
  console.error("usage: node producer.mjs PATH [PRIORITY from 1]: a path as the service sees it");
  process.exit(2);
}
const queue = openQueue();
const job = await add(queue, { videoPath }, Number(priority));
console.log(job.id);
await queue.close();
