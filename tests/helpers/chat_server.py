"""A server with OpenAI's chat interface on a loopback socket, which misbehaves on request."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Iterable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal

Fault = Literal[
    "ok",
    "429",
    "500",
    "400",
    "401",
    "garbage",
    "cut",
    "no-usage",
    "closed",
    "long",
    "told",
]


class ChatServer:
    """Use as a context manager; answers with the number of pictures and the last words told.

    Args:
        faults: What befalls the requests, in order of arrival; after the last all is well.
        delays_s: Before the first words, and before the last.
    """

    def __init__(
        self, faults: Iterable[Fault] = (), delays_s: tuple[float, float] = (0.0, 0.0)
    ) -> None:
        self.requests: list[dict[str, Any]] = []
        self.keys: list[str] = []
        self.most = 0
        """Requests that were under way at once."""
        self.delays_s = delays_s
        self._faults = list(faults)
        self._running = 0
        self._lock = threading.Lock()
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self._http.server_port}/v1"

    def __enter__(self) -> ChatServer:
        threading.Thread(target=self._http.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._http.shutdown()
        self._http.server_close()

    @contextlib.contextmanager
    def arrived(self, body: dict[str, Any], key: str):
        """Note a request, for as long as it lasts; gives what befalls it."""
        with self._lock:
            self.requests.append(body)
            self.keys.append(key)
            self._running += 1
            self.most = max(self.most, self._running)
            fault = self._faults.pop(0) if self._faults else "ok"
        try:
            yield fault
        finally:
            with self._lock:
                self._running -= 1

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_: object) -> None:
                pass

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                key = self.headers.get("authorization", "").removeprefix("Bearer ")
                with server.arrived(body, key) as fault:
                    answer(self, server, body, fault)

        return Handler


def answer(handler: BaseHTTPRequestHandler, server: ChatServer, body: Any, fault: Fault) -> None:
    """Refuse a request, or stream an answer."""
    if fault == "closed":
        handler.connection.close()
        return
    if fault in ("429", "500", "400", "401"):
        content = json.dumps({"error": {"message": f"refused with {fault}"}}).encode()
        handler.send_response(int(fault))
        if fault == "429":
            handler.send_header("retry-after-ms", "30")
        handler.send_header("content-length", str(len(content)))
        handler.end_headers()
        handler.wfile.write(content)
        return
    handler.send_response(200)
    handler.send_header("content-type", "text/event-stream")
    handler.end_headers()
    if fault == "told":
        event(handler, {"error": {"message": "overloaded"}})
        return
    if fault == "garbage":
        handler.wfile.write(b"data: <html>\n\n")
        return
    parts = body["messages"][0]["content"]
    pictures = sum(part["type"] == "image_url" for part in parts)
    time.sleep(server.delays_s[0])
    say(handler, {"content": f"{pictures} pictures: "})
    time.sleep(server.delays_s[1])
    if fault == "cut":
        return
    say(handler, {"content": parts[-1]["text"].split()[-1]})
    say(handler, {}, "length" if fault == "long" else "stop")
    if fault != "no-usage":
        usage = {"prompt_tokens": 40, "completion_tokens": 7, "total_tokens": 47}
        event(handler, {"choices": [], "usage": usage})
    handler.wfile.write(b"data: [DONE]\n\n")


def say(handler: BaseHTTPRequestHandler, delta: dict[str, str], reason: str | None = None) -> None:
    """One piece of the answer."""
    event(handler, {"choices": [{"index": 0, "delta": delta, "finish_reason": reason}]})


def event(handler: BaseHTTPRequestHandler, content: dict[str, Any]) -> None:
    """One event of the stream."""
    whole = {"id": "1", "object": "chat.completion.chunk", "created": 0, "model": "m", **content}
    handler.wfile.write(f"data: {json.dumps(whole)}\n\n".encode())
    handler.wfile.flush()
