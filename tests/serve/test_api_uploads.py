"""Videos sent by HTTP: kept once by their content, and refused before too much was read."""

from __future__ import annotations

import hashlib
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from helpers.api_server import UPLOAD_MIB, Api

pytestmark = pytest.mark.services
MIB = 2**20


def parts(api: Api) -> list[Path]:
    """Files that are not whole."""
    return list((api.project.runs / "service" / "uploads").glob(".incoming-*"))


def chunks(mib: int) -> Iterator[bytes]:
    for _ in range(mib):
        yield bytes(MIB)


def test_an_upload_is_kept_under_a_hash_of_its_content_and_becomes_a_job(api: Api) -> None:
    content = os.urandom(MIB + 7)
    answer = api.client.post("/v1/uploads", params={"name": "Tor für München.MP4"}, content=content)
    assert answer.status_code == 201, answer.text
    upload = answer.json()
    sha256 = hashlib.sha256(content).hexdigest()
    assert upload["videoPath"] == f"runs/service/uploads/{sha256[:32]}.mp4"
    assert (upload["sha256"], upload["bytes"]) == (sha256, len(content))
    assert (api.project.root / upload["videoPath"]).read_bytes() == content
    assert upload["job"]["title"] == "Tor für München.MP4"
    assert answer.headers["location"] == f"/v1/jobs/{upload['job']['id']}"
    assert parts(api) == []
    # It can be named by further jobs.
    api.submit(videoPath=upload["videoPath"])


def test_the_same_content_is_kept_once_and_need_not_become_a_job(api: Api) -> None:
    for name in ("a.mp4", "b.mp4"):
        query = {"name": name, "submit": "false"}
        answer = api.client.post("/v1/uploads", params=query, content=chunks(1))
        assert (answer.status_code, answer.json()["job"]) == (201, None)
    sha256 = hashlib.sha256(bytes(MIB)).hexdigest()
    kept = list((api.project.runs / "service" / "uploads").glob(f"{sha256[:32]}*"))
    assert len(kept) == 1


@pytest.mark.parametrize(
    "name", ["../../x.mp4", "..\\x.mp4", "a/b.mp4", ".mp4", "x.mp4/..", "x.%2e%2e", "x.\u0000mp4"]
)
def test_a_name_never_becomes_a_path(api: Api, name: str) -> None:
    before = {path for path in api.project.root.rglob("*") if path.is_file()}
    answer = api.client.post(
        "/v1/uploads", params={"name": name, "submit": "false"}, content=name.encode() * 3
    )
    new = {path for path in api.project.root.rglob("*") if path.is_file()} - before
    assert answer.status_code == 201, answer.text
    assert [path.parent for path in new] == [api.project.runs / "service" / "uploads"]


def test_a_declared_length_over_the_limit_is_refused_before_any_of_it_is_sent(api: Api) -> None:
    with socket.create_connection(("127.0.0.1", api.port), timeout=10) as connection:
        connection.sendall(
            b"POST /v1/uploads?name=a.mp4 HTTP/1.1\r\nHost: localhost\r\n"
            + f"Content-Length: {UPLOAD_MIB * MIB + 1}\r\n\r\n".encode()
        )
        assert connection.recv(100).startswith(b"HTTP/1.1 413 ")
    assert parts(api) == []


def test_an_undeclared_length_over_the_limit_is_cut_off_and_nothing_stays(api: Api) -> None:
    before = set((api.project.runs / "service" / "uploads").glob("*"))
    answer = api.client.post(
        "/v1/uploads", params={"name": "a.mp4"}, content=chunks(UPLOAD_MIB + 1)
    )
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "too_large")
    assert set((api.project.runs / "service" / "uploads").glob("*")) == before
    assert api.client.get("/healthz").status_code == 200


def test_an_upload_that_is_cut_off_leaves_nothing(api: Api) -> None:
    before = set((api.project.runs / "service" / "uploads").glob("*"))
    with socket.create_connection(("127.0.0.1", api.port), timeout=10) as connection:
        connection.sendall(
            b"POST /v1/uploads?name=a.mp4 HTTP/1.1\r\nHost: localhost\r\n"
            b"Content-Length: 100000\r\n\r\nhalf of it"
        )
        until_s = time.monotonic() + 10
        while not parts(api) and time.monotonic() < until_s:
            time.sleep(0.02)
        assert len(parts(api)) == 1
    while parts(api) and time.monotonic() < until_s:
        time.sleep(0.02)
    assert set((api.project.runs / "service" / "uploads").glob("*")) == before


@pytest.mark.parametrize(
    ("query", "content", "status"),
    [
        ({"name": "a.mp4"}, b"", 400),
        ({}, b"x", 422),
        ({"name": "a" * 256}, b"x", 422),
        ({"name": "a.mp4", "model": "nobody"}, b"x", 404),
        ({"name": "a.mp4", "analyzers": ["scenes", "nobody"]}, b"x", 404),
        ({"name": "a.mp4", "priority": "0"}, b"x", 422),
    ],
)
def test_what_cannot_become_a_job_is_refused(
    api: Api, query: dict[str, str], content: bytes, status: int
) -> None:
    assert api.client.post("/v1/uploads", params=query, content=content).status_code == status
