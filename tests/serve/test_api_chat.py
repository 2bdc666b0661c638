"""Questions about a video in OpenAI's form; the other side is a worker on the group's queue."""

from __future__ import annotations

import asyncio
import base64
import json
import socket
import time
from typing import Any

import pytest
from bullmq import Job
from bullmq.custom_errors import UnrecoverableError
from helpers.api_server import Api, until_cancelled, worker

pytestmark = pytest.mark.services
GROUP = "kairos-vlm"
ANSWER = {"answer": "A goal.", "prompt_tokens": 70, "completion_tokens": 3, "truncated": False}
DATA = "data:video/mp4;base64,"


def question(url: str, **changes: Any) -> dict[str, Any]:
    content = [
        {"type": "text", "text": "What happens?"},
        {"type": "video_url", "video_url": {"url": url}},
    ]
    return {"model": "tiny", "messages": [{"role": "user", "content": content}], **changes}


def ask(api: Api, url: str, **changes: Any) -> Any:
    return api.client.post("/v1/chat/completions", json=question(url, **changes))


def test_a_question_goes_to_the_group_that_holds_the_model_and_its_answer_comes_back(
    api: Api,
) -> None:
    got: list[dict[str, Any]] = []

    async def work(job: Job) -> dict[str, Any]:
        got.append(job.data)
        return ANSWER

    messages = [
        {"role": "system", "content": "Be short."},
        question("videos/match.mp4")["messages"][0],
    ]
    with worker(api.redis, work, GROUP):
        answer = ask(api, "videos/match.mp4", messages=messages, stream=False)
    assert answer.status_code == 200, answer.text
    said = answer.json()
    assert said["choices"][0]["message"] == {"role": "assistant", "content": "A goal."}
    assert said["choices"][0]["finish_reason"] == "stop"
    assert said["usage"]["total_tokens"] == 73
    prompt = "Be short.\nWhat happens?"
    assert got == [
        {"videoPath": "videos/match.mp4", "model": "tiny", "base": "plain", "prompt": prompt}
    ]


def test_a_video_in_a_data_url_is_kept_by_its_content(api: Api) -> None:
    async def work(job: Job) -> dict[str, Any]:
        return {**ANSWER, "answer": job.data["videoPath"], "truncated": True}

    url = DATA + base64.b64encode(b"a video as text").decode()
    with worker(api.redis, work, GROUP):
        said = ask(api, url).json()["choices"][0]
    path = api.project.root / said["message"]["content"]
    assert path.read_bytes() == b"a video as text" and path.suffix == ".mp4"
    assert said["finish_reason"] == "length"


@pytest.mark.parametrize(
    ("url", "status"),
    [
        ("/etc/passwd", 404),
        ("videos/../../outside.mp4", 404),
        ("file:///etc/passwd", 404),
        ("http://127.0.0.1:8003/x.mp4", 403),
        ("https://elsewhere.example/x.mp4", 403),
        ("http://videos.example@127.0.0.1/x.mp4", 403),
        ("http://169.254.169.254/latest", 403),
        ("data:video/mp4,plain", 400),
        (DATA + "not base64!", 400),
        (DATA, 400),
        (DATA + "A" * (2 * 2**20 * 4 // 3 + 8), 413),
        (DATA + "A" * (8 * 2**20), 413),
    ],
)
def test_a_video_from_anywhere_else_is_refused(api: Api, url: str, status: int) -> None:
    assert ask(api, url).status_code == status


@pytest.mark.parametrize(
    "changes",
    [
        {"stream": True},
        {"stream": 0},
        {"temperature": 1},
        {"messages": []},
        {"messages": [{"role": "user", "content": "no video"}]},
        {"messages": [{"role": "user", "content": [{"type": "text", "text": "no video"}]}]},
        {"messages": question("videos/match.mp4")["messages"] * 2},
    ],
)
def test_a_wish_that_cannot_be_met_is_refused_and_not_passed_over(
    api: Api, changes: dict[str, Any]
) -> None:
    assert ask(api, "videos/match.mp4", **changes).status_code == 422


def test_a_model_that_cannot_answer_says_why(api: Api) -> None:
    async def work(job: Job) -> None:
        raise UnrecoverableError("the video has no picture")

    with worker(api.redis, work, GROUP):
        answer = ask(api, "videos/match.mp4")
    assert answer.status_code == 502
    assert answer.json()["error"]["message"].endswith("the video has no picture")
    assert ask(api, "videos/match.mp4", model="other").status_code == 404


def test_a_question_whose_client_has_gone_is_cancelled(api: Api) -> None:
    cancelled: list[str] = []

    async def work(job: Job) -> dict[str, Any]:
        await asyncio.wait_for(until_cancelled(api.redis, job), 20)
        cancelled.append(str(job.id))
        return ANSWER

    body = json.dumps(question("videos/match.mp4")).encode()
    with worker(api.redis, work, GROUP):
        with socket.create_connection(("127.0.0.1", api.port), timeout=10) as connection:
            connection.sendall(
                b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\n"
                b"Content-Type: application/json\r\n"
                + f"Content-Length: {len(body)}\r\n\r\n".encode()
                + body
            )
            time.sleep(0.5)
        until_s = time.monotonic() + 20
        while not cancelled and time.monotonic() < until_s:
            time.sleep(0.05)
    assert len(cancelled) == 1
