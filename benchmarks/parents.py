"""What the queue itself costs: a parent whose eighteen children do nothing.

The same calls with the same settings as the coordinator's and the workers', in one process, so that
all of Python's share is counted; no analyzer, no process with models.
"""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path
from typing import Any

from bullmq import Job
from bullmq.custom_errors import WaitingChildrenError
from redis.exceptions import RedisError

from benchmarks.served import free_port
from kairos_lib.project import Project
from kairos_lib.serve import own_redis, queues
from kairos_lib.serve.contract import JOBS, PREFIX, child_id, group_queue
from kairos_lib.serve.queues import Children

CHILDREN = 18
"""As many as a large pipeline has analyzers."""
PARENTS = 200
LIMIT_S = 300.0


def parent_cpu_s(root: Path, parents: int = PARENTS) -> float:
    """Seconds of CPU for one parent with its children, Redis left out.

    Args:
        root: A folder for Redis.
        parents: How many there are, one after another as quickly as the queue takes them.

    Raises:
        KairosError: There is no Redis on this machine.
    """
    return asyncio.run(_parent_cpu_s(root, parents))


async def _parent_cpu_s(root: Path, parents: int) -> float:
    port = free_port()
    url = f"redis://127.0.0.1:{port}"
    command = own_redis.command(Project(root), port)
    server = await asyncio.create_subprocess_exec(*command)
    try:
        await _answers(url)
        return await _measured(url, parents)
    finally:
        server.terminate()
        await server.wait()


async def _answers(url: str) -> None:
    keys = queues.client(url)
    for _ in range(100):
        try:
            await keys.ping()
            break
        except RedisError:
            await asyncio.sleep(0.1)
    await keys.aclose()


async def _measured(url: str, parents: int) -> float:
    keys = queues.client(url)
    groups = [f"group-{number}" for number in range(CHILDREN)]
    parts = {group: queues.queue(group_queue(group), url) for group in groups}

    async def nothing(_job: Job, _token: str) -> dict[str, Any]:
        return {}

    async def parent(job: Job, token: str) -> int:
        """As the coordinator does: looks what is there, adds the rest, always asks to wait."""
        own = f"{PREFIX}:{JOBS}:{job.id}"
        children = await Children.of(keys, own)
        for group in groups:
            child = child_id(str(job.id), group, 0)
            if child not in children:
                named = {"jobId": child, "parent": {"id": str(job.id), "queue": f"{PREFIX}:{JOBS}"}}
                await parts[group].add(group, {}, {**queues.job_options(3), **named})
        if await job.moveToWaitingChildren(token, {}):
            raise WaitingChildrenError
        return len((await Children.of(keys, own)).done)

    workers = [queues.worker(JOBS, parent, 8, url)]
    workers += [queues.worker(group_queue(group), nothing, 1, url) for group in groups]
    running = [asyncio.create_task(worker.run()) for worker in workers]
    jobs = queues.queue(JOBS, url)

    async def done(count: int) -> None:
        deadline = time.monotonic() + LIMIT_S
        while await keys.zcard(f"{PREFIX}:{JOBS}:completed") < count:
            assert time.monotonic() < deadline, "the parents did not end"
            await asyncio.sleep(0.2)

    made = [await jobs.add("warm", {}, {}) for _ in range(5)]
    await done(len(made))
    before = sum(os.times()[:2])
    made += [await jobs.add("parent", {}, {}) for _ in range(parents)]
    await done(len(made))
    used = sum(os.times()[:2]) - before
    # Every child of every parent was done, or the time means nothing.
    for job in made:
        assert await keys.hget(f"{PREFIX}:{JOBS}:{job.id}", "returnvalue") == str(CHILDREN)
    for part in (*workers, jobs, *parts.values()):
        await part.close()
    await asyncio.gather(*running, return_exceptions=True)
    await keys.aclose()
    return used / parents
