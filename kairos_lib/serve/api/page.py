"""`/`: the service's page, static files of this package."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from fastapi import APIRouter, Response

from kairos_lib.serve.api.problems import Problem

router = APIRouter(include_in_schema=False)
FOLDER = Path(__file__).with_name("page")
TYPES = {
    ".js": "text/javascript",
    ".css": "text/css",
    ".html": "text/html",
    ".svg": "image/svg+xml",
}


@cache
def _files() -> dict[str, bytes]:
    """The files by their names, read once: no request can name another."""
    return {path.name: path.read_bytes() for path in FOLDER.iterdir() if path.suffix in TYPES}


def _file(name: str) -> Response:
    content = _files().get(name)
    if content is None:
        raise Problem(404, "the page has no such file")
    return Response(content, media_type=TYPES[Path(name).suffix])


@router.get("/")
async def index() -> Response:
    """The page."""
    return _file("index.html")


@router.get("/page/{name}")
async def file(name: str) -> Response:
    """A file that the page is made of."""
    return _file(name)
