"""The service's queues in Redis, as the API uses them: add, look, count, cancel."""

from __future__ import annotations

import asyncio
import re
import uuid
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import ConstantBackoff
from redis.exceptions import ResponseError

from kairos_lib.serve.api.problems import Problem
from kairos_lib.serve.api.records import ENDED, JOB_ID, JobView
from kairos_lib.serve.api.setting import Setting
from kairos_lib.serve.api.views import first_line, job_view
from kairos_lib.serve.contract import (
    COUNTERS,
    JOBS,
    WORKERS,
    Heartbeat,
    JobData,
    cancel_key,
    group_queue,
)

if TYPE_CHECKING:
    from bullmq import Job, Queue

STATES = (
    "active", "waiting", "prioritized", "delayed", "waiting-children", "completed", "failed"
)  # fmt: skip
PENDING = ("waiting", "prioritized", "delayed")
"""States of a job that nobody works on."""
DAY_S = 86_400
KEPT_S = 30 * DAY_S
"""How long a finished job can be asked about; its result stays."""
KEPT = {"age": KEPT_S, "count": 10_000}
KEEPING = {"removeOnComplete": KEPT, "removeOnFail": KEPT}
BACKOFF_MS = 1000
FIRST = 1
"""The priority of a question: somebody waits for its answer."""
FORGOTTEN_S = 60.0
"""A process that has said nothing for so long is not listed."""


def connect(url: str) -> Redis:
    """A connection that gives up soon, so that a client is told instead of kept waiting."""
    return Redis.from_url(
        url,
        decode_responses=True,
        socket_timeout=5,
        socket_connect_timeout=2,
        retry=Retry(ConstantBackoff(0.1), 2),
        health_check_interval=30,
    )


class Queues:
    """The queue of jobs and those of the groups."""

    def __init__(self, setting: Setting) -> None:
        from bullmq import Queue

        self.setting = setting
        self.root = setting.project.root
        self.redis = connect(setting.redis)
        self.jobs = Queue(JOBS, {"connection": self.redis})
        self.groups = {
            name: Queue(group_queue(name), {"connection": self.redis})
            for name in setting.service.groups
        }

    async def close(self) -> None:
        """Close the connections."""
        await self.redis.aclose()

    async def add(self, data: JobData) -> JobView:
        """Add a job."""
        # An id of our own: the queue's counter begins anew when Redis loses its data.
        options = {
            "jobId": uuid.uuid4().hex,
            "priority": data.priority,
            **self._tried(),
            **KEEPING,
        }
        job = await self.jobs.add("analyse", data.model_dump(exclude_unset=True), options)
        return await self.view(str(job.id))

    async def ask(self, group: str, job_id: str, data: dict[str, Any]) -> None:
        """Add a question to the queue of the group that holds the model, before all else."""
        options = {**KEEPING, "jobId": job_id, "priority": FIRST, **self._tried()}
        await self.groups[group].add("ask", data, options)

    async def asked(self, group: str, job_id: str) -> tuple[str, Any, str]:
        """A question's state in the queue's words, what was returned, and why it failed."""
        queue = self.groups[group]
        state = str(await queue.getJobState(job_id))
        job = await queue.getJob(job_id) if state in ("completed", "failed") else None
        if job is None:
            return state, None, ""
        return state, job.returnvalue, first_line(job.failedReason, self.root)

    def _tried(self) -> dict[str, Any]:
        """How often a job is tried."""
        attempts = self.setting.service.attempts
        return {"attempts": attempts, "backoff": {"type": "exponential", "delay": BACKOFF_MS}}

    async def find(self, job_id: str) -> Job:
        """A job by its id.

        Raises:
            Problem: There is none.
        """
        found = None
        if re.fullmatch(JOB_ID, job_id):
            # The queue's own keys are beside its jobs: `meta` is one, of another form.
            kind = await self.redis.type(self.jobs.toKey(job_id))
            fields = await self.redis.hmget(self.jobs.toKey(job_id), "timestamp", "data") if (
                kind == "hash"
            ) else ()  # fmt: skip
            if len(fields) == 2 and None not in fields:
                found = await self.jobs.getJob(job_id)
        if found is None:
            raise Problem(404, "there is no such job, or it is long done", "no_job")
        return found

    async def view(self, job_id: str) -> JobView:
        """A job as clients see it."""
        job = await self.find(job_id)
        state = await self.jobs.getJobState(job_id)
        return job_view(job, state, bool(await self.redis.exists(cancel_key(job_id))), self.root)

    async def newest(self, at_most: int) -> list[JobView]:
        """The newest jobs, whatever has become of them."""
        found: dict[str, tuple[Job, str]] = {}
        for state in STATES:
            # One at a time, in the order in which jobs go through them.
            for job in await self.jobs.getJobs([state], 0, at_most - 1):
                found[str(job.id)] = (job, state)
        ordered = sorted(found.values(), key=lambda one: -one[0].timestamp)[:at_most]
        if not ordered:
            return []
        keys = [cancel_key(str(job.id)) for job, _ in ordered]
        cancelled = await self.redis.mget(keys)
        return [
            job_view(job, state, mark is not None, self.root)
            for (job, state), mark in zip(ordered, cancelled, strict=True)
        ]

    async def cancel(self, job_id: str) -> JobView:
        """Have a job stopped where it is.

        Raises:
            Problem: There is none, or it has ended.
        """
        view = await self.view(job_id)
        if view.state in ENDED:
            raise Problem(409, f"the job is {view.state} already", "ended")
        await self.redis.set(cancel_key(job_id), "1", ex=KEPT_S)
        return await self.view(job_id)

    async def returned(self, job_id: str) -> Any:
        """What a finished job returned.

        Raises:
            Problem: There is no such job, or it has not been done.
        """
        view = await self.view(job_id)
        if view.state != "done":
            why = f": {view.reason}" if view.reason else ""
            raise Problem(409, f"the job is {view.state}{why}", "not_done")
        return (await self.find(job_id)).returnvalue

    async def counts(self) -> dict[str, dict[str, int]]:
        """How many jobs each queue has in each state, by the queues' names."""
        queues: list[Queue] = [self.jobs, *self.groups.values()]
        found = await asyncio.gather(*(queue.getJobCounts(*STATES) for queue in queues))
        return {
            queue.name: {state: int(counts.get(state, 0)) for state in STATES}
            for queue, counts in zip(queues, found, strict=True)
        }

    async def workers(self, now_s: float) -> list[Heartbeat]:
        """What the groups' processes last said of themselves."""
        beats = []
        for text in (await self.redis.hgetall(WORKERS)).values():
            try:
                beat = Heartbeat.model_validate_json(text)
            except ValidationError:
                continue  # Of another version of the service.
            if beat.state != "gone" and now_s - beat.seen_s < FORGOTTEN_S:
                beats.append(beat)
        return sorted(beats, key=lambda beat: (beat.group, beat.host, beat.pid))

    async def counters(self) -> dict[str, float]:
        """The numbers that only grow."""
        found: dict[str, float] = {}
        for name, text in (await self.redis.hgetall(COUNTERS)).items():
            try:
                found[str(name)] = float(text)
            except ValueError:
                continue
        return found

    async def answers(self) -> bool:
        """Whether Redis answers."""
        try:
            return bool(await self.redis.ping())
        except ResponseError:
            return False
