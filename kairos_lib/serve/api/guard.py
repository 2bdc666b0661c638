"""Stands before the API and refuses before a body is read: foreign hosts, origins, no token.

Pure ASGI, so that nothing behind it can read a body first. It also names each request, limits
bodies, counts answers and adds the headers that keep a browser from being used against the service.
"""

from __future__ import annotations

import hmac
import ipaddress
import logging
import re
import socket
import uuid
from collections import Counter
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from kairos_lib.serve.api.problems import Problem, answer
from kairos_lib.serve.api.setting import JSON_BYTES, Setting, is_loopback

LOG = logging.getLogger("kairos.api")
HOST = re.compile(r"(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+)(?::[0-9]{1,5})?")
UPLOADS = "/v1/uploads"
CHAT = "/v1/chat/completions"
OPEN = frozenset({"/", "/healthz", "/readyz", "/openapi.json"})
"""Paths that need no token: nothing that a stranger could use, and probes cannot send one."""
PAGE = "/page/"
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}
BASE64 = 4 / 3
Answered = Counter[tuple[str, str, int]]
"""How often each method, path and status was answered."""


class Guard:
    """The application with its guard."""

    def __init__(self, app: ASGIApp, setting: Setting, answered: Answered) -> None:
        self.app = app
        self.setting = setting
        self.answered = answered
        self.token = setting.token.encode()
        own = {socket.gethostname().lower()} if not is_loopback(setting.host) else set()
        self.names = {name.lower() for name in setting.names} | own | {"localhost"}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
            return
        request_id = uuid.uuid4().hex
        scope.setdefault("state", {})["request_id"] = request_id
        started = False

        async def named(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                headers = MutableHeaders(scope=message)
                headers["X-Request-ID"] = request_id
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                path = getattr(scope.get("route"), "path", "other")
                self.answered[scope["method"], path, message["status"]] += 1
            await send(message)

        try:
            self._check(scope)
            await self.app(scope, self._limited(scope, receive), named)
        except Problem as problem:
            # What follows on the connection would be the body that was not read.
            headers = {**(problem.headers or {}), "Connection": "close"}
            refused = answer(problem.status_code, problem.code, problem.detail, request_id, headers)
            if not started:
                await refused(scope, receive, named)
        except Exception:
            # Behind the guard an answer was sent already: a client gets no trace.
            LOG.exception("%s: %s %s", request_id, scope["method"], scope["path"])
            if not started:
                message = "something went wrong in the service"
                await answer(500, "internal", message, request_id)(scope, receive, named)

    def _check(self, scope: Scope) -> None:
        headers = Headers(scope=scope)
        hosts = headers.getlist("host")
        if len(hosts) != 1 or not self._is_ours(hosts[0]):
            raise Problem(421, "the Host header names another machine: see --allow-host")
        origin = headers.get("origin")
        if origin is not None and not _same_origin(origin, hosts[0]):
            raise Problem(403, "a page of another origin may not use this service")
        crosses = headers.get("sec-fetch-site") == "cross-site"
        followed = headers.get("sec-fetch-mode") == "navigate" and scope["method"] == "GET"
        if crosses and not followed:
            raise Problem(403, "a page of another site may not use this service")
        path = scope["path"]
        if self.token and path not in OPEN and not path.startswith(PAGE):
            self._check_token(headers)
        declared = headers.get("content-length", "0")
        if not declared.isdecimal():
            raise Problem(400, "the Content-Length header is not a number")
        limit = self._limit(path)
        if int(declared) > limit:
            raise Problem(413, f"the body may have at most {limit:,} bytes")

    def _check_token(self, headers: Headers) -> None:
        given = headers.getlist("authorization")
        scheme, _, token = given[0].partition(" ") if len(given) == 1 else ("", "", "")
        right = hmac.compare_digest(token.strip().encode("latin-1", "replace"), self.token)
        if scheme.lower() != "bearer" or not right:
            raise Problem(
                401,
                "send `Authorization: Bearer TOKEN` with the service's token",
                headers={"WWW-Authenticate": 'Bearer realm="kairos"'},
            )

    def _is_ours(self, host: str) -> bool:
        """Whether a Host header names this machine.

        A page whose name was made to point here by its owner (DNS rebinding) sends that name.
        """
        match = HOST.fullmatch(host)
        if match is None:
            return False
        name = match[1].strip("[]").lower()
        if name in self.names:
            return True
        try:
            address = ipaddress.ip_address(name)
        except ValueError:
            return False
        return address.is_loopback or not is_loopback(self.setting.host)

    def _limit(self, path: str) -> int:
        """The most bytes that a body may have."""
        if path == UPLOADS:
            return self.setting.upload_bytes
        if path == CHAT:
            return JSON_BYTES + int(self.setting.data_url_bytes * BASE64)
        return JSON_BYTES

    def _limited(self, scope: Scope, receive: Receive) -> Receive:
        """Count a body while it is read, since a length need not be declared."""
        limit, read = self._limit(scope["path"]), 0

        async def counted() -> Message:
            nonlocal read
            message = await receive()
            read += len(message.get("body", b""))
            if read > limit:
                raise Problem(413, f"the body may have at most {limit:,} bytes")
            return message

        return counted


def _same_origin(origin: str, host: str) -> bool:
    try:
        parts = urlsplit(origin)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and parts.netloc.lower() == host.lower()
