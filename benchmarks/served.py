"""A service whose processes can be killed one by one: each is started again, as a supervisor does.

Jobs are added as a client adds them; what became of them is read from Redis.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import redis

from kairos_lib.errors import KairosError
from kairos_lib.project import Project
from kairos_lib.serve import own_redis
from kairos_lib.serve.contract import JOBS, PREFIX, WORKERS
from kairos_lib.serve.supervisor import ends_with_parent

START_S = 600.0


@dataclass
class Kept:
    """A process that is started again whenever it ends."""

    name: str
    command: list[str]
    environment: Mapping[str, str]
    log: Path
    pause_s: float = 0.5
    starts: int = 0
    process: subprocess.Popen[bytes] | None = None
    _stopped: threading.Event = field(default_factory=threading.Event)

    def start(self) -> None:
        """Start it, and go on starting it."""
        threading.Thread(target=self._keep, daemon=True).start()

    def _keep(self) -> None:
        while not self._stopped.is_set():
            with self.log.open("ab") as log:
                self.process = subprocess.Popen(
                    self.command,
                    env={**os.environ, **self.environment},
                    stdout=log,
                    stderr=log,
                    preexec_fn=ends_with_parent,
                )
            self.starts += 1
            self.process.wait()
            self._stopped.wait(self.pause_s)

    def kill(self) -> None:
        """Kill it; it is started again."""
        if self.process is not None:
            self.process.kill()

    def stop(self) -> None:
        """End it for good."""
        self._stopped.set()
        if self.process is not None:
            self.process.terminate()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


def free_port() -> int:
    """A port of loopback that nobody uses."""
    with socket.socket() as asked:
        asked.bind(("127.0.0.1", 0))
        return int(asked.getsockname()[1])


class Served:
    """A running service without an API.

    Args:
        project: The checkout.
        service: Name of its parameters.
        groups: Its groups, a name for each worker: twice for two.
        environment: Variables that its processes need.
        folder: For Redis and for what the processes say.
    """

    def __init__(
        self,
        project: Project,
        service: str,
        groups: Sequence[str],
        environment: Mapping[str, str],
        folder: Path,
    ) -> None:
        if shutil.which(own_redis.PROGRAM) is None:
            raise KairosError("this needs redis-server: apt-get install redis-server")
        port = free_port()
        self.address = f"redis://127.0.0.1:{port}"
        self.keys = redis.Redis.from_url(
            self.address, decode_responses=True, retry_on_error=[redis.ConnectionError]
        )
        own = {**environment, "REDIS_URL": self.address, "KAIROS_ROOT": str(project.root)}
        kairos = [sys.executable, "-m", "kairos_lib.cli"]
        folder.mkdir(parents=True, exist_ok=True)

        def kept(name: str, *command: str) -> Kept:
            words = [*kairos, *command, "--service", service]
            return Kept(name, words, own, folder / f"{name}.log")

        self.project = project
        self.redis = Kept("redis", own_redis.command(project, port), own, folder / "redis.log")
        self.coordinator = kept("coordinator", "coordinator")
        self.workers = [
            kept(f"{group}-{number}", "worker", "--group", group)
            for number, group in enumerate(groups)
        ]

    @contextmanager
    def running(self) -> Iterator[Served]:
        """Run it during a block; ready when the block begins."""
        parts = [self.coordinator, *self.workers]
        try:
            self.redis.start()
            self._wait(self._answers, "Redis")
            for part in parts:
                part.start()
            self._wait(lambda: len(self.residents()) >= len(self.workers), "the workers")
            yield self
        finally:
            for part in parts:
                part.stop()
            self.redis.stop()
            self.keys.close()

    def _answers(self) -> bool:
        try:
            return bool(self.keys.ping())
        except redis.RedisError:
            return False

    def _wait(self, there: Any, what: str) -> None:
        deadline = time.monotonic() + START_S
        while not there():
            if time.monotonic() > deadline:
                raise KairosError(f"{what} did not start within {START_S:.0f} s")
            time.sleep(0.1)

    def heartbeats(self) -> list[dict[str, Any]]:
        """How the processes are that were seen within two seconds."""
        known = [json.loads(one) for one in self.keys.hgetall(WORKERS).values()]
        return [one for one in known if time.time() - one["seen_s"] < 2]

    def residents(self) -> list[int]:
        """The processes that hold models and are ready or at work."""
        return [one["pid"] for one in self.heartbeats() if one["state"] in ("ready", "busy")]

    def add(self, jobs: Sequence[Mapping[str, Any]]) -> list[str]:
        """Add jobs; their ids."""
        from bullmq import Queue

        async def added() -> list[str]:
            queue = Queue(JOBS, {"connection": self.address})
            made = [await queue.add("analyze", dict(data), {}) for data in jobs]
            await queue.close()
            return [str(job.id) for job in made]

        return asyncio.run(added())

    def job(self, name: str) -> dict[str, str]:
        """A job as it is in Redis."""
        return dict(self.keys.hgetall(f"{PREFIX}:{JOBS}:{name}"))

    def ended(self) -> tuple[int, int]:
        """How many jobs are done, and how many failed."""
        done = self.keys.zcard(f"{PREFIX}:{JOBS}:completed")
        return int(done), int(self.keys.zcard(f"{PREFIX}:{JOBS}:failed"))

    def ended_or_unknown(self) -> tuple[int, int]:
        """The same; none while Redis does not answer."""
        try:
            return self.ended()
        except redis.RedisError:
            return 0, 0

    def wait(self, names: Sequence[str], limit_s: float) -> list[dict[str, str]]:
        """Wait until jobs have ended, and return them."""
        deadline = time.monotonic() + limit_s
        while True:
            try:
                jobs = [self.job(name) for name in names]
                if all(job.get("finishedOn") for job in jobs):
                    return jobs
            except redis.RedisError:
                pass  # It was killed, and is being started.
            if time.monotonic() > deadline:
                open_ = [n for n, job in zip(names, jobs, strict=True) if not job.get("finishedOn")]
                raise KairosError(f"not ended within {limit_s:.0f} s: {', '.join(open_[:5])}")
            time.sleep(0.2)

    def kill_resident(self, worker: Kept) -> bool:
        """Kill the process that holds a worker's models; False if there is none at this moment."""
        for child in resident_processes(worker):
            child.send_signal(signal.SIGKILL)
            return True
        return False


def resident_processes(worker: Kept) -> list[psutil.Process]:
    """The processes below a worker that hold models."""
    if worker.process is None:
        return []
    try:
        below = psutil.Process(worker.process.pid).children()
        return [one for one in below if any("spawn_main" in word for word in one.cmdline())]
    except psutil.NoSuchProcess:
        return []


def results(project: Project) -> list[dict[str, Any]]:
    """The heads of all result files."""
    found = []
    for path in sorted((project.runs / "service").glob("*.json")):
        found.append(json.loads(path.read_text(encoding="utf-8")))
    return found
