"""Azure Cosmos DB stood in for on this machine, behind a proxy that notes and disturbs requests."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import subprocess
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from helpers.node_packages import node_modules

KEY = "bm90IGEgc2VjcmV0"
"""As base64, which the client decodes; the emulator takes any."""
Fault = tuple[int, dict[str, str], bytes] | None


@dataclass(frozen=True)
class Asked:
    """A request that reached the proxy."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def operations(self) -> list[dict[str, object]]:
        """Of a batch; empty for any other request."""
        if self.headers.get("x-ms-cosmos-is-batch-request", "").lower() != "true":
            return []
        return json.loads(self.body)

    @property
    def writes(self) -> bool:
        """Whether it can change documents."""
        query = self.headers.get("x-ms-documentdb-isquery", "").lower() == "true"
        return self.method in ("POST", "PUT", "DELETE") and "/docs" in self.path and not query


@contextlib.contextmanager
def emulator() -> Iterator[int]:
    """The port of an emulator that runs for a block."""
    modules = node_modules({"@vercel/cosmosdb-server": "1.0.1"})
    script = Path(__file__).parent / "cosmos-emulator.cjs"
    process = subprocess.Popen(
        ["node", str(script)], env={**os.environ, "NODE_PATH": str(modules)},
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        yield int(process.stdout.readline())
    finally:
        process.kill()
        process.wait()


class Proxy:
    """In front of the emulator, as a context manager.

    Args:
        port: The emulator's.
        disturb: Called with each request; answers it instead of the emulator (status, headers,
            body), or returns None.
    """

    def __init__(self, port: int, disturb: Callable[[Asked], Fault] = lambda asked: None) -> None:
        self.asked: list[Asked] = []
        self.disturb = disturb
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self, port))
        self.url = f"http://127.0.0.1:{self._http.server_port}/"

    def __enter__(self) -> Proxy:
        threading.Thread(target=self._http.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._http.shutdown()
        self._http.server_close()

    @property
    def batches(self) -> list[Asked]:
        """The batches that arrived."""
        return [one for one in self.asked if one.operations]


def _handler(proxy: Proxy, port: int) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _any(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            asked = Asked(self.command, self.path, headers, body)
            proxy.asked.append(asked)
            self._answer(*(proxy.disturb(asked) or self._forwarded(asked)))

        def _forwarded(self, asked: Asked) -> tuple[int, dict[str, str], bytes]:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
            connection.request(asked.method, asked.path, asked.body or None, dict(asked.headers))
            answer = connection.getresponse()
            content = answer.read()
            connection.close()
            kept = {n: v for n, v in answer.getheaders() if n.lower().startswith("x-ms")}
            return answer.status, {"Content-Type": "application/json", **kept}, content

        def _answer(self, status: int, headers: dict[str, str], content: bytes) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PUT = do_DELETE = _any  # noqa: N815

        def log_message(self, *_: object) -> None: ...

    return Handler
