"""A Redis that goes and comes back: clients are told at once, and nothing accepted is lost."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
from bullmq import Job
from helpers.api_server import running_api, served_project, worker, write_result
from helpers.redis_server import REDIS_SERVER, free_port, redis_server

pytestmark = [
    pytest.mark.services,
    pytest.mark.skipif(REDIS_SERVER is None, reason="no redis-server on this machine"),
]
SOON_S = 5.0


def test_without_redis_the_api_says_so_and_goes_on_when_it_is_back(tmp_path: Path) -> None:
    project, port = served_project(tmp_path / "project"), free_port()
    data = tmp_path / "redis"
    data.mkdir()
    returned = write_result(project, "0a", {"scenes": []})

    async def work(job: Job) -> dict[str, Any]:
        return returned

    kinds: list[str] = []
    with redis_server(data, port) as address:
        made = running_api(project, address)
        api = made.__enter__()
        job_id = api.submit()

        def listen() -> None:
            with httpx.stream("GET", f"{api.address}/v1/jobs/{job_id}/events", timeout=60) as told:
                kinds.extend(line for line in told.iter_lines() if line.startswith("data: "))

        listening = threading.Thread(target=listen)
        listening.start()
        until_s = time.monotonic() + SOON_S
        while not kinds and time.monotonic() < until_s:
            time.sleep(0.05)
    try:
        for path in ("/v1/jobs", f"/v1/jobs/{job_id}", "/readyz", "/metrics", "/v1/status"):
            started_s = time.monotonic()
            answer = api.client.get(path)
            assert (answer.status_code, answer.json()["error"]["code"]) == (503, "unavailable")
            assert time.monotonic() - started_s < SOON_S
        assert api.client.get("/healthz").status_code == 200
        with redis_server(data, port) as address, worker(address, work):
            # Accepted before, done after; who listened all the while hears of it.
            assert api.until(job_id, "done")
            listening.join(20)
            assert '"state":"done"' in kinds[-1]
    finally:
        made.__exit__(None, None, None)
