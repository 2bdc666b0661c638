"""Says on Redis how far jobs are and how processes are; several processes may speak of one job."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import redis.asyncio as redis
from bullmq import Queue

from kairos_lib.serve.contract import (
    COUNTERS,
    WORKERS,
    AnalyzerProgress,
    Heartbeat,
    JobProgress,
    JobState,
    cancel_key,
    progress_key,
    worker_field,
)

ENDED = ("done", "reused", "skipped", "failed")
FORGOTTEN_S = 120.0
"""A heartbeat that has stopped for so long is removed."""
KEPT_S = 7 * 24 * 3600


class Telling:
    """Progress of jobs, heartbeats and counters.

    Args:
        keys: Redis.
        jobs: The queue of jobs.
    """

    def __init__(self, keys: redis.Redis, jobs: Queue) -> None:
        self._keys = keys
        self._jobs = jobs

    async def progress(
        self,
        parent: str,
        analyzers: Mapping[str, AnalyzerProgress],
        state: JobState = "running",
        begin: bool = False,
    ) -> None:
        """Say how far some analyzers of a job are; others' last words stay.

        Args:
            parent: The job's id.
            analyzers: Those that there is news of.
            state: The whole job's.
            begin: Only say this of analyzers of which nothing has been said.
        """
        key = progress_key(parent)
        async with self._keys.pipeline(transaction=True) as pipe:
            for name, one in analyzers.items():
                if begin:
                    pipe.hsetnx(key, name, one.model_dump_json())
                else:
                    pipe.hset(key, name, one.model_dump_json())
            pipe.hgetall(key)
            pipe.expire(key, KEPT_S)
            *_, known, _ = await pipe.execute()
        whole = {n: AnalyzerProgress.model_validate_json(one) for n, one in sorted(known.items())}
        told = JobProgress(
            state=state,
            done=sum(one.state in ENDED for one in whole.values()),
            total=len(whole),
            analyzers=whole,
        )
        # By its id: a parent that waits for its children has no worker.
        await self._jobs.backend.updateProgress(parent, told.model_dump(mode="json"))

    async def cancelled(self, parent: str) -> bool:
        """Whether somebody has cancelled a job."""
        return bool(await self._keys.exists(cancel_key(parent)))

    async def count(self, amounts: Mapping[str, float]) -> None:
        """Add to counters."""
        async with self._keys.pipeline(transaction=True) as pipe:
            for name, amount in amounts.items():
                pipe.hincrbyfloat(COUNTERS, name, amount)
            await pipe.execute()

    async def beat(self, beats: list[Heartbeat]) -> None:
        """Say how processes are."""
        fields = {
            worker_field(one.group, one.host, one.pid): one.model_dump_json() for one in beats
        }
        if fields:
            await self._keys.hset(WORKERS, mapping=dict[Any, Any](fields))

    async def gone(self, group: str, host: str, pids: list[int]) -> None:
        """Forget processes that have ended."""
        if pids:
            await self._keys.hdel(WORKERS, *(worker_field(group, host, pid) for pid in pids))

    async def forget_silent(self) -> None:
        """Forget processes that nobody has said anything of for long."""
        known = await self._keys.hgetall(WORKERS)
        before = time.time() - FORGOTTEN_S
        old = [f for f, one in known.items() if Heartbeat.model_validate_json(one).seen_s < before]
        if old:
            await self._keys.hdel(WORKERS, *old)
