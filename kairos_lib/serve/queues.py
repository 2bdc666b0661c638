"""How this side uses BullMQ: its settings, and the few things that its Python client leaves out.

Each setting was tried against hundreds of killed processes; docs/service.md says what survives.
"""

from __future__ import annotations

import json
import logging
from typing import Any

import redis.asyncio as redis
from bullmq import Queue, Worker

from kairos_lib.serve.contract import PREFIX, redis_url

WORKER_OPTIONS: dict[str, Any] = {
    "autorun": False,
    # A killed worker's job is delivered again after at most these two together.
    "lockDuration": 10_000,
    "stalledInterval": 5_000,
    # By default the second kill would fail a job.
    "maxStalledCount": 20,
    "drainDelay": 1,
    "runRetryDelay": 1_000,
}
DONE_KEPT_S = 3600
"""How long a child that was done is remembered; what it came to is with its parent."""
FAILED_KEPT_S = 7 * 24 * 3600
BACKOFF_MS = 1_000
log = logging.getLogger(__name__)


def client(url: str = "") -> redis.Redis:
    """A client of Redis for keys of our own."""
    return redis.Redis.from_url(url or redis_url(), decode_responses=True, socket_timeout=5)


def queue(name: str, url: str = "") -> Queue:
    """A queue to add jobs to."""
    return Queue(name, {"connection": url or redis_url(), "prefix": PREFIX})


def worker(name: str, process: Any, concurrency: int = 1, url: str = "") -> Worker:
    """A worker that is started by awaiting its `run`, and that ends when this returns."""
    options = {**WORKER_OPTIONS, "connection": url or redis_url(), "prefix": PREFIX}
    made = Worker(name, process, {**options, "concurrency": concurrency})
    made.on("error", lambda error, *_: log.warning("queue %s: %s", name, error))
    return made


def job_options(attempts: int, priority: int = 0) -> dict[str, Any]:
    """Options of a child: tried a few times, and remembered for a while."""
    return {
        "attempts": attempts,
        "backoff": {"type": "exponential", "delay": BACKOFF_MS},
        "removeOnComplete": {"age": DONE_KEPT_S},
        "removeOnFail": {"age": FAILED_KEPT_S},
        # Without any of its failure options a parent would wait for ever.
        "ignoreDependencyOnFailure": True,
        **({"priority": priority} if priority else {}),
    }


class QueueEndedError(Exception):
    """A worker's loop ended by itself; started again it may go on."""


class Children:
    """What became of a parent's children, by their ids."""

    def __init__(self, waiting: set[str], done: dict[str, Any], failed: dict[str, str]) -> None:
        self.waiting = waiting
        self.done = done
        """Their return values."""
        self.failed = failed
        """Why each failed."""

    def __contains__(self, child: str) -> bool:
        return child in self.waiting or child in self.done or child in self.failed

    @classmethod
    async def of(cls, keys: redis.Redis, parent_key: str) -> Children:
        """Read them.

        Args:
            keys: Redis.
            parent_key: `bull:vlm-process:ID`.
        """
        async with keys.pipeline(transaction=True) as pipe:
            pipe.smembers(f"{parent_key}:dependencies")
            pipe.hgetall(f"{parent_key}:processed")
            pipe.hgetall(f"{parent_key}:failed")
            waiting, done, failed = await pipe.execute()
        return cls(
            {_id(key) for key in waiting},
            {_id(key): json.loads(value) for key, value in done.items()},
            {_id(key): reason for key, reason in failed.items()},
        )


def _id(key: str) -> str:
    """The id at the end of a child's key, `bull:kairos-GROUP:ID`."""
    return key.split(":", 2)[2]
