"""Who may use the service: refused before a body is read, whatever else the request holds."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from helpers.api_server import Api, served_project
from helpers.projects import CHECKOUT

pytestmark = pytest.mark.services
MB_20 = 20_000_000


def raw(api: Api, text: str, body: bytes = b"") -> str:
    """What the API answers to the lines of a request, none of its body sent but what is given."""
    with socket.create_connection(("127.0.0.1", api.port), timeout=10) as connection:
        connection.sendall(text.replace("\n", "\r\n").encode() + b"\r\n\r\n" + body)
        answer = b""
        while part := connection.recv(65_536):
            answer += part
    return answer.decode()


@pytest.mark.parametrize(
    "header",
    [
        "X-None: 1",
        "Authorization: Bearer wrong-token-wrong-token",
        "Authorization: Bearer a-token-that-nobody-would-guess2",
        "Authorization: Basic a-token-that-nobody-would-guess",
        "Authorization: Bearer",
        "Authorization: Bearer a-token-that-nobody-would-guess\nAuthorization: Bearer wrong",
    ],
)
def test_without_the_right_token_it_answers_before_a_body_of_20_mb_is_sent(
    closed_api: Api, header: str
) -> None:
    for path in ("/v1/uploads?name=a.mp4", "/v1/jobs", "/v1/chat/completions"):
        answer = raw(
            closed_api,
            f"POST {path} HTTP/1.1\nHost: 127.0.0.1\nContent-Length: {MB_20}\n{header}",
        )
        assert answer.startswith("HTTP/1.1 401 "), answer
        assert "www-authenticate: bearer" in answer.lower()
        assert "connection: close" in answer.lower()
        assert '"code":"unauthorised"' in answer


def test_with_the_token_everything_is_answered_and_without_it_only_probes_and_the_page(
    closed_api: Api,
) -> None:
    assert closed_api.client.get("/v1/jobs").status_code == 200
    closed_api.client.headers.pop("Authorization")
    try:
        for path in ("/healthz", "/readyz", "/", "/page/main.js", "/openapi.json"):
            assert closed_api.client.get(path).status_code in (200, 503)
        for path in ("/v1/jobs", "/metrics", "/v1/jobs/x/events", "/none"):
            answer = closed_api.client.get(path)
            assert answer.status_code == 401
            assert answer.json()["error"]["request_id"] == answer.headers["x-request-id"]
    finally:
        closed_api.client.headers["Authorization"] = f"Bearer {closed_api.token}"


@pytest.mark.parametrize(
    "host",
    ["evil.example", "127.0.0.1.evil.example", "192.168.1.7", "evil.example:8003", "a b", ""],
)
def test_a_foreign_host_is_refused_as_a_page_with_a_rebound_name_would_send_it(
    api: Api, host: str
) -> None:
    answer = raw(api, f"GET /v1/jobs HTTP/1.1\nHost: {host}\nConnection: close")
    assert answer.startswith("HTTP/1.1 421 "), answer


def test_own_names_are_hosts(api: Api) -> None:
    for host in ("localhost", "127.0.0.1", "localhost:9000", "[::1]:8003", "LOCALHOST"):
        answer = raw(api, f"GET /v1/jobs HTTP/1.1\nHost: {host}\nConnection: close")
        assert answer.startswith("HTTP/1.1 200 "), answer


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://127.0.0.1:3000"}, 403),
        ({"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}, 403),
        ({"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}, 403),
        ({"Origin": "OWN"}, 202),
        ({"Sec-Fetch-Site": "same-origin"}, 202),
        ({}, 202),
    ],
)
def test_a_page_of_another_origin_cannot_post(
    api: Api, headers: dict[str, str], status: int
) -> None:
    own = {name: api.address if value == "OWN" else value for name, value in headers.items()}
    job = {"videoPath": "videos/match.mp4"}
    assert api.client.post("/v1/jobs", json=job, headers=own).status_code == status


def test_answers_keep_a_browser_from_being_used(api: Api) -> None:
    for path in ("/v1/jobs", "/none", "/v1/jobs/none"):
        headers = api.client.get(path).headers
        assert "default-src 'none'" in headers["content-security-policy"]
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert "access-control-allow-origin" not in headers
        assert len(headers["x-request-id"]) == 32


@pytest.mark.parametrize(
    ("arguments", "token", "said"),
    [
        (("--host", "0.0.0.0"), "", "set KAIROS_TOKEN"),
        (("--host", "192.168.1.7"), "", "set KAIROS_TOKEN"),
        (("--host", "0.0.0.0"), "short", "at least 16"),
        (("--service", "none"), "", "unknown service 'none'"),
    ],
)
def test_it_does_not_start_open_to_others_without_a_token(
    tmp_path: Path, arguments: tuple[str, ...], token: str, said: str
) -> None:
    project = served_project(tmp_path / "project")
    environment = {
        **os.environ, "KAIROS_ROOT": str(project.root), "PYTHONPATH": str(CHECKOUT),
        "KAIROS_TOKEN": token,
    }  # fmt: skip
    command = [sys.executable, "-m", "kairos_lib.cli", "api", *arguments]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 2
    assert said in ended.stderr and len(ended.stderr.strip().splitlines()) == 1
