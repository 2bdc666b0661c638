// Talks to the service. A token, where one is wanted, goes with every request.

const TOKEN = "kairos-token";
const AGAIN_MS = 1000;

export class Refused extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

export function useToken(token) {
  sessionStorage.setItem(TOKEN, token);
}

function authorised(headers = {}) {
  const token = sessionStorage.getItem(TOKEN);
  return token ? { ...headers, Authorization: `Bearer ${token}` } : headers;
}

function refusal(status, text) {
  let message = `the service answered ${status}`;
  try {
    message = JSON.parse(text).error.message;
  } catch {
    // Something in between answered, in words of its own.
  }
  if (status === 401) document.dispatchEvent(new Event("token-wanted"));
  return new Refused(status, message);
}

async function fetched(path, options = {}) {
  const answer = await fetch(path, { ...options, headers: authorised(options.headers) });
  if (!answer.ok) throw refusal(answer.status, await answer.text());
  return answer;
}

export async function get(path) {
  return (await fetched(path)).json();
}

export async function picture(path) {
  return URL.createObjectURL(await (await fetched(path)).blob());
}

export async function post(path, body) {
  const options = { method: "POST" };
  if (body !== undefined) {
    options.body = JSON.stringify(body);
    options.headers = { "Content-Type": "application/json" };
  }
  return (await fetched(path, options)).json();
}

// fetch says nothing of how much of a body was sent; XMLHttpRequest does.
export function upload(file, query, onSent) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", `/v1/uploads?${new URLSearchParams(query)}`);
    for (const [name, value] of Object.entries(authorised())) request.setRequestHeader(name, value);
    request.upload.addEventListener("progress", (event) => onSent(event.loaded / file.size));
    request.addEventListener("load", () => {
      if (request.status === 201) resolve(JSON.parse(request.responseText));
      else reject(refusal(request.status, request.responseText));
    });
    request.addEventListener("error", () => reject(new Error("the service cut the upload off")));
    request.send(file);
  });
}

function parsed(block) {
  const event = { id: "", event: "message", data: "" };
  for (const line of block.split("\n")) {
    const colon = line.indexOf(": ");
    if (colon > 0 && line.slice(0, colon) in event) event[line.slice(0, colon)] = line.slice(colon + 2);
  }
  return event.data ? event : null;
}

// A job's events until it has ended, read by fetch: EventSource cannot send a token. After a break
// it goes on where it was.
export async function follow(job, onEvent, signal) {
  let last = "";
  let ended = false;
  while (!ended && !signal.aborted) {
    try {
      const headers = last ? { "Last-Event-ID": last } : {};
      const answer = await fetched(`/v1/jobs/${job}/events`, { headers, signal });
      if (answer.status === 204) return;
      const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
      let text = "";
      for (let part = await reader.read(); !part.done; part = await reader.read()) {
        text += part.value;
        const blocks = text.split("\n\n");
        text = blocks.pop();
        for (const event of blocks.map(parsed).filter(Boolean)) {
          last = event.id || last;
          ended = onEvent(event.event, JSON.parse(event.data));
        }
      }
    } catch (error) {
      if (signal.aborted || (error instanceof Refused && error.status < 500)) return;
    }
    if (!ended) await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
  }
}
