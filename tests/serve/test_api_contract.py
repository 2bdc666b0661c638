"""The running API against its own description: schemathesis asks all that it allows, and more."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from bullmq import Job
from helpers.api_server import Api, worker, write_result

pytestmark = pytest.mark.services
EXAMPLES = 5
SEED = 1


@contextmanager
def ready(api: Api) -> Iterator[None]:
    """Every group has a process, for as long as the block."""
    ended = threading.Event()

    def beat() -> None:
        while not ended.wait(1):
            api.beat("cpu")
            api.beat("vlm")

    thread = threading.Thread(target=beat)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def test_no_answer_is_an_error_of_the_service_or_contradicts_its_description(
    closed_api: Api, tmp_path: Path
) -> None:
    returned = write_result(closed_api.project, "f022", {"scenes": []})

    async def work(job: Job) -> dict[str, Any]:
        return returned

    async def answer(job: Job) -> dict[str, Any]:
        return {"answer": "A goal."}

    command = [
        sys.executable, "-m", "schemathesis.cli", "run", f"{closed_api.address}/openapi.json",
        "--checks", "all", "--max-examples", str(EXAMPLES), "--seed", str(SEED),
        "--request-timeout", "30", "--no-color", "--continue-on-failure",
        "-H", f"Authorization: Bearer {closed_api.token}",
    ]  # fmt: skip
    with (
        ready(closed_api),
        worker(closed_api.redis, work),
        worker(closed_api.redis, answer, "kairos-vlm"),
    ):
        # In a folder of its own: it remembers what it found beside where it runs.
        ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=500)
    assert ended.returncode == 0, ended.stdout[-6000:] + ended.stderr[-1000:]
    assert " passed" in ended.stdout


def test_the_description_names_what_can_be_asked_for(api: Api, closed_api: Api) -> None:
    described = api.client.get("/openapi.json").json()
    job = described["components"]["schemas"]["PathJob"]["properties"]
    assert job["model"]["anyOf"][0]["enum"] == ["tiny", ""]
    assert job["analyzers"]["anyOf"][0]["items"]["enum"] == ["scenes", "sounds"]
    assert "securitySchemes" not in described["components"]
    described = closed_api.client.get("/openapi.json").json()
    assert described["paths"]["/v1/jobs"]["get"]["security"] == [{"token": []}]
    assert described["paths"]["/healthz"]["get"]["security"] == []
    for path, operations in described["paths"].items():
        for operation in operations.values():
            assert {"401", "403", "421"} <= set(operation["responses"]), path
