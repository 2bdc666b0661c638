"""Errors as clients see them: a status, a code, one line, the request's id, and never a trace."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from redis.exceptions import RedisError
from starlette.exceptions import HTTPException
from starlette.routing import Match, Route

from kairos_lib.errors import KairosError

LOG = logging.getLogger("kairos.api")
CODES = {
    400: "bad_request",
    401: "unauthorised",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    408: "too_slow",
    409: "conflict",
    413: "too_large",
    415: "unsupported_type",
    421: "foreign_host",
    422: "invalid",
    429: "too_many",
    500: "internal",
    502: "no_answer",
    503: "unavailable",
    504: "timeout",
    507: "disk_full",
}
MEANINGS = {
    400: "The request cannot be read",
    401: "The token is missing or wrong",
    403: "Not allowed: a page of another origin, or something outside what the service may use",
    404: "There is no such thing",
    408: "The body came too slowly",
    409: "The job's state does not allow that",
    413: "The body is larger than its limit",
    415: "The body is not of a type that can be read here",
    421: "The Host header names another machine",
    422: "A value is not of the kind described here",
    429: "Too many at once",
    502: "A process of the service failed",
    503: "Redis cannot be reached, or a group is not ready",
    504: "Not done within the time limit",
    507: "The disk is full",
}


class Detail(BaseModel):
    """One error."""

    code: str
    """A word for programs."""
    message: str
    """A line for people."""
    request_id: str
    """What the service's log calls the request; the header `X-Request-ID` says it too."""


class Failure(BaseModel):
    """The body of every answer that is an error."""

    error: Detail


class Problem(HTTPException):
    """An error that a client is told."""

    def __init__(
        self, status: int, message: str, code: str = "", headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(status, message, headers)
        self.code = code or CODES[status]


Documented = dict[int | str, dict[str, Any]]
"""What a path's description says of its answers, by their status."""


def documented(*statuses: int) -> Documented:
    """What the description of a path says of its errors, those of every path among them."""
    # The first two are the guard's, which stands before every path.
    return {
        status: {"model": Failure, "description": MEANINGS[status]}
        for status in sorted({400, 401, 403, 421, 422, 503, *statuses})
    }


def answer(
    status: int,
    code: str,
    message: str,
    request_id: str,
    headers: Mapping[str, str] | None = None,
) -> JSONResponse:
    """An error as a response."""
    failure = Failure(error=Detail(code=code, message=message, request_id=request_id))
    return JSONResponse(failure.model_dump(), status, headers)


def _of(request: Request) -> str:
    return str(request.state.request_id)


async def _told(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    code = getattr(error, "code", "") or CODES.get(error.status_code, "error")
    message = str(error.detail)
    if error.status_code in (404, 405) and not isinstance(error, Problem):
        message = f"there is no {request.method} of this path: see /openapi.json"
    headers = {"Allow": _allowed(request)} if error.status_code == 405 else error.headers
    return answer(error.status_code, code, message, _of(request), headers)


def _allowed(request: Request) -> str:
    """All methods of a path: each is a route of its own, and the first alone would be named."""
    methods: set[str] = set()
    routes: list[Route] = request.app.state.routes
    for route in routes:
        if route.matches(request.scope)[0] is not Match.NONE:
            methods |= route.methods or set()
    return ", ".join(sorted(methods))


async def _invalid(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    if first["type"] == "json_invalid":
        return answer(400, "bad_request", "the body is not JSON", _of(request))
    where = ".".join(str(part) for part in first["loc"] if part not in ("body", "query"))
    message = str(first["msg"])
    return answer(422, "invalid", f"{where or 'the body'}: {message}", _of(request))


async def _no_redis(request: Request, error: Exception) -> JSONResponse:
    LOG.error("%s: redis: %s", _of(request), error)
    message = "Redis cannot be reached: jobs that were accepted are kept, try again"
    return answer(503, "unavailable", message, _of(request), {"Retry-After": "2"})


async def _ours(request: Request, error: Exception) -> JSONResponse:
    return answer(422, "invalid", str(error), _of(request))


async def _unforeseen(request: Request, error: Exception) -> JSONResponse:
    message = "something went wrong in the service: its log has more under this request's id"
    return answer(500, "internal", message, _of(request))


def install(app: FastAPI) -> None:
    """Have an application answer with errors of this form."""
    app.add_exception_handler(HTTPException, _told)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(RedisError, _no_redis)
    app.add_exception_handler(KairosError, _ours)
    app.add_exception_handler(Exception, _unforeseen)
