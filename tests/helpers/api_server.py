"""The service's API in a process of its own, and a worker that stands in for all others."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from bullmq import Job, Worker
from redis import Redis
from redis.asyncio import Redis as AsyncRedis

from helpers.projects import CHECKOUT, make_project, write_parameters
from helpers.redis_server import free_port
from kairos_lib.project import Project
from kairos_lib.serve.contract import JOBS, WORKERS, Heartbeat, cancel_key, worker_field

START_S = 60.0
UPLOAD_MIB = 2
MODEL = {
    "title": "Tiny", "family": "llava_next", "weights": {"source": "path", "id": "weights"},
    "prompt": {"instruction": "Describe the scene."},
}  # fmt: skip
SERVICE = {
    "title": "Under test",
    "base": "plain",
    "model": "tiny",
    "groups": {
        "cpu": {"analyzers": ["scenes", "sounds"], "processes": 2},
        "vlm": {"model": "tiny"},
    },
    "folders": ["videos"],
    "upload_mib": UPLOAD_MIB,
    "free_disk_mib": 1,
    "ingest": {"hosts": ["videos.example"]},
}


def served_project(root: Path) -> Project:
    """A project with a service, a model and a file that looks like a video from outside."""
    project = make_project(root)
    (project.parameters / "service").mkdir()
    write_parameters(project, "service", "default", SERVICE)
    write_parameters(project, "models", "tiny", MODEL)
    write_parameters(project, "models", "other", {**MODEL, "title": "Other"})
    (root / "videos").mkdir()
    (root / "videos" / "match.mp4").write_bytes(b"a video")
    return project


@dataclass
class Api:
    """A running API."""

    project: Project
    redis: str
    port: int
    token: str = ""
    client: httpx.Client = field(init=False)

    def __post_init__(self) -> None:
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        self.client = httpx.Client(base_url=self.address, headers=headers, timeout=30)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def submit(self, **job: Any) -> str:
        """Add a job about the project's video; its id."""
        answer = self.client.post("/v1/jobs", json={"videoPath": "videos/match.mp4", **job})
        assert answer.status_code == 202, answer.text
        return str(answer.json()["id"])

    def job(self, job_id: str) -> dict[str, Any]:
        answer = self.client.get(f"/v1/jobs/{job_id}")
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def until(self, job_id: str, *states: str) -> dict[str, Any]:
        """A job once it is in one of some states."""
        until_s = time.monotonic() + 30
        while (job := self.job(job_id))["state"] not in states:
            assert time.monotonic() < until_s, job
            time.sleep(0.05)
        return job

    def beat(self, group: str, **changes: Any) -> None:
        """Say that a group has a process."""
        now_s = time.time()
        values = {
            "group": group, "host": "here", "pid": 7, "device": "cpu", "state": "ready",
            "since_s": now_s, "seen_s": now_s, **changes,
        }  # fmt: skip
        beat = Heartbeat.model_validate(values)
        with Redis.from_url(self.redis) as redis:
            name = worker_field(beat.group, beat.host, beat.pid)
            redis.hset(WORKERS, name, beat.model_dump_json())


@contextmanager
def running_api(
    project: Project, redis: str, token: str = "", arguments: tuple[str, ...] = ()
) -> Iterator[Api]:
    """An API on a free port that ends with the block."""
    port = free_port()
    environment = {
        **{k: v for k, v in os.environ.items() if not k.startswith("KAIROS_")},
        "KAIROS_ROOT": str(project.root), "REDIS_URL": redis, "PYTHONPATH": str(CHECKOUT),
        **({"KAIROS_TOKEN": token} if token else {}),
    }  # fmt: skip
    command = [sys.executable, "-m", "kairos_lib.cli", "api", "--port", str(port), *arguments]
    process = subprocess.Popen(command, env=environment, cwd=project.root)
    try:
        made = Api(project, redis, port, token)
        until_s = time.monotonic() + START_S
        while True:
            try:
                made.client.get("/healthz").raise_for_status()
                break
            except httpx.TransportError:
                assert process.poll() is None, "the API ended"
                assert time.monotonic() < until_s, "the API does not answer"
                time.sleep(0.1)
        yield made
        made.client.close()
    finally:
        process.terminate()
        process.wait(15)


Work = Callable[[Job], Coroutine[Any, Any, Any]]


def told(done: int, total: int, state: str = "running") -> dict[str, Any]:
    """A job's progress."""
    scenes = {"state": "done" if done else "running", "done": done, "total": total, "reason": ""}
    return {"state": state, "done": done, "total": total, "analyzers": {"scenes": scenes}}


def write_result(project: Project, key: str, content: dict[str, Any]) -> dict[str, Any]:
    """A result file, and what a job that made it returns."""
    path = project.runs / "service" / f"{key}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content), encoding="utf-8")
    named = str(path.relative_to(project.root))
    return {"result": named, "video": "match", "base": "runs/base/match/k", "vlm": None}


@contextmanager
def worker(redis: str, work: Work, queue: str = JOBS) -> Iterator[None]:
    """A worker on a queue that does what a test says, in a thread of its own."""
    loop = asyncio.new_event_loop()
    ended = asyncio.Event()

    async def process(job: Job, token: str) -> Any:
        return await work(job)

    async def run() -> None:
        made = Worker(queue, process, {"connection": redis, "autorun": False, "drainDelay": 1})
        running = asyncio.ensure_future(made.run())
        await ended.wait()
        await made.close(force=True)
        running.cancel()

    def until_the_end() -> None:
        loop.run_until_complete(run())
        loop.close()

    thread = threading.Thread(target=until_the_end, daemon=True)
    thread.start()
    try:
        yield
    finally:
        loop.call_soon_threadsafe(ended.set)
        thread.join(20)


async def until_cancelled(redis: str, job: Job) -> None:
    """Wait for the API to say that a job is not wanted."""
    client = AsyncRedis.from_url(redis)
    try:
        while not await client.exists(cancel_key(str(job.id))):
            await asyncio.sleep(0.05)
    finally:
        await client.aclose()
