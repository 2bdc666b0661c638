// node server.mjs: a page that adds films and shows how far they are. node:http and nothing else;
// progress goes to the browser by server-sent events.
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { add, follow, openEvents, openQueue, standing } from "./queue.mjs";

const HOST = process.env.HOST || "127.0.0.1";
const PORT = Number(process.env.PORT ?? 3000);
// Names under which a browser may reach this: any other, and a page elsewhere could have its own
// name lead here.
const NAMES = new Set((process.env.NAMES || "localhost,127.0.0.1,[::1]").split(","));
const BODY_BYTES = 16 * 1024;
const HEARTBEAT_MS = 15_000;
const HEADERS = {
  "Content-Security-Policy":
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; " +
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  "X-Content-Type-Options": "nosniff",
  "Referrer-Policy": "no-referrer",
  "Cache-Control": "no-store",
};
const FILES = {
  "/": ["index.html", "text/html; charset=utf-8"],
  "/page.css": ["page.css", "text/css; charset=utf-8"],
  "/page.mjs": ["page.mjs", "text/javascript; charset=utf-8"],
};

const queue = openQueue();
const events = await openEvents(queue);
events.setMaxListeners(0); // One for each page that is open.

class Refused extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

async function answer(request, response) {
  check(request);
  const { pathname } = new URL(request.url, "http://localhost");
  const followed = /^\/jobs\/([A-Za-z0-9_-]{1,128})\/events$/.exec(pathname);
  if (request.method === "POST" && pathname === "/jobs") return submit(request, response);
  if (request.method !== "GET") throw new Refused(405, "only GET, and POST /jobs");
  if (followed) return stream(followed[1], request, response);
  if (!Object.hasOwn(FILES, pathname)) throw new Refused(404, "there is no such page");
  const [name, type] = FILES[pathname];
  const content = await readFile(new URL(name, import.meta.url));
  response.writeHead(200, { ...HEADERS, "Content-Type": type }).end(content);
}

// A page of another site must neither read this one nor add jobs to it.
function check(request) {
  const name = (request.headers.host || "").replace(/:\d+$/, "");
  if (!NAMES.has(name)) throw new Refused(421, "unknown host: name it in NAMES");
  const { host, origin } = request.headers;
  if (origin !== undefined && ![`http://${host}`, `https://${host}`].includes(origin)) {
    throw new Refused(403, "from another site");
  }
}

async function submit(request, response) {
  if (!/^application\/json\b/.test(request.headers["content-type"] || "")) {
    throw new Refused(415, "send JSON");
  }
  const data = await body(request);
  const path = data?.videoPath;
  if (typeof path !== "string" || !path.trim() || path.length > 4096 || path.includes("\0")) {
    throw new Refused(400, "videoPath must be the path of a film");
  }
  // Which paths may be read is for the service to say, whoever adds the job.
  const job = await add(queue, { videoPath: path.trim() });
  json(response, 202, { id: job.id });
}

async function body(request) {
  const parts = [];
  let size = 0;
  for await (const part of request) {
    size += part.length;
    if (size > BODY_BYTES) throw new Refused(413, "too long");
    parts.push(part);
  }
  try {
    return JSON.parse(Buffer.concat(parts).toString());
  } catch {
    throw new Refused(400, "this is not JSON");
  }
}

// First how the job stands, then what happens. Listening begins before the question, so that
// nothing is lost between the two; a browser that comes back is told anew how it stands.
async function stream(id, request, response) {
  let early = [];
  let heart;
  const stop = follow(events, id, (told) => (early ? early.push(told) : send(told)));
  const close = () => {
    stop();
    clearInterval(heart);
    response.end();
  };
  function send(told) {
    if (response.writableEnded) return;
    response.write(`event: ${told.event}\ndata: ${JSON.stringify(told)}\n\n`);
    if (told.event !== "progress") close();
  }
  const now = await standing(queue, id).catch((error) => {
    stop();
    throw error;
  });
  if (!now) {
    stop();
    throw new Refused(404, "there is no such job");
  }
  response.writeHead(200, { ...HEADERS, "Content-Type": "text/event-stream" });
  request.on("close", close);
  heart = setInterval(() => response.write(": still here\n\n"), HEARTBEAT_MS);
  const waited = early;
  early = null;
  for (const told of [now, ...waited]) send(told);
}

function json(response, status, value) {
  const headers = { ...HEADERS, "Content-Type": "application/json" };
  response.writeHead(status, headers).end(JSON.stringify(value));
}

const server = createServer((request, response) => {
  answer(request, response).catch((error) => {
    const known = error instanceof Refused;
    if (!known) console.error(error);
    if (response.headersSent) return response.end();
    if (known && error.status === 413) response.setHeader("Connection", "close");
    json(response, known ? error.status : 500, { error: known ? error.message : "it failed" });
  });
});
server.listen(PORT, HOST, () => {
  const { address, port } = server.address();
  console.log(`http://${address.includes(":") ? `[${address}]` : address}:${port}/`);
});
for (const name of ["SIGINT", "SIGTERM"]) {
  process.on(name, async () => {
    server.close();
    server.closeAllConnections();
    await Promise.all([events.close(), queue.close()]);
    process.exit(0);
  });
}
