"""Turns a job into work for groups, wave by wave, and puts the results together.

It keeps no state: whenever a job comes, for the first time, after a wave, or because the last
coordinator was killed, what is there already says what is left to do. A step recorded in the job
instead would be lost or repeated by a kill at the wrong moment.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import time
from typing import Any

from bullmq import Job, Queue
from bullmq.custom_errors import DelayedError, UnrecoverableError, WaitingChildrenError
from pydantic import ValidationError
from redis.exceptions import RedisError

from kairos_lib.errors import KairosError
from kairos_lib.parameters.service import Service
from kairos_lib.project import Project
from kairos_lib.serve import queues
from kairos_lib.serve.contract import (
    JOBS,
    PREFIX,
    VLM,
    AnalyzerProgress,
    ChildData,
    JobData,
    JobResult,
    cancel_key,
    child_id,
    group_queue,
)
from kairos_lib.serve.merging import Merging
from kairos_lib.serve.queues import Children, QueueEndedError
from kairos_lib.serve.telling import Telling
from kairos_lib.serve.videos import uploads

CONCURRENCY = 8
"""Jobs that are looked after at once; the work itself is done elsewhere."""
LATER_MS = 2_000
SWEEP_S = 1.0
GRACE_S = 5.0
TRIES = 30
"""How often a job is put off because something is in the way, such as a lock."""
log = logging.getLogger(__name__)


class Coordinator:
    """Looks after jobs.

    Args:
        project: The checkout.
        service: Its parameters.
    """

    def __init__(self, project: Project, service: Service) -> None:
        self._project = project
        self._service = service
        self._keys = queues.client()
        self._telling = Telling(self._keys, queues.queue(JOBS))
        self._queues: dict[str, Queue] = {}

    async def run(self) -> None:
        """Work until told to stop.

        Raises:
            QueueEndedError: The queue ended.
        """
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        worker = queues.worker(JOBS, self._process, CONCURRENCY)
        running = asyncio.create_task(worker.run())
        sweeping = asyncio.create_task(self._drop_cancelled())
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait({running, stopping}, return_when=asyncio.FIRST_COMPLETED)
        sweeping.cancel()
        # It cannot be cancelled.
        await asyncio.wait({asyncio.ensure_future(worker.close())}, timeout=GRACE_S)
        if not stop.is_set():
            raise QueueEndedError("the queue of jobs ended: is Redis still there?")

    async def _drop_cancelled(self) -> None:
        """Take cancelled jobs' work out of the queues; what has begun is ended by its worker."""
        while True:
            try:
                async for key in self._keys.scan_iter(cancel_key("*"), count=1000):
                    await self._drop(key.removeprefix(cancel_key("")))
            except Exception as error:  # Whatever it is, the next round may do better.
                log.warning("cancelling: %s", error)
            await asyncio.sleep(SWEEP_S)

    async def _drop(self, parent: str) -> None:
        waiting = await self._keys.smembers(f"{PREFIX}:{JOBS}:{parent}:dependencies")
        for child in map(str, waiting):
            _, name, id_ = child.split(":", 2)
            await self._queue(name).remove(id_)  # Does nothing to one that has begun.

    def _queue(self, name: str) -> Queue:
        if name not in self._queues:
            self._queues[name] = queues.queue(name)
        return self._queues[name]

    async def _process(self, job: Job, token: str) -> dict[str, Any]:
        try:
            return await self._whatever_redis_does(job, token)
        except asyncio.CancelledError:
            raise RuntimeError("the coordinator was stopped") from None
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"]))
            raise await self._failed(
                f"{where}: {first['msg']}" if where else first["msg"]
            ) from None
        except (KairosError, OSError) as error:
            raise await self._failed(str(error)) from error

    async def _whatever_redis_does(self, job: Job, token: str) -> dict[str, Any]:
        """Carry on; begin again where Redis was away for a moment, which fails no job."""
        for _ in range(TRIES):
            try:
                return await self._carry_on(job, token)
            except (RedisError, ConnectionError) as error:
                log.warning("job %s: %s", job.id, error)
                await asyncio.sleep(LATER_MS / 1000)
        return await self._carry_on(job, token)

    async def _failed(self, reason: str) -> UnrecoverableError:
        with contextlib.suppress(RedisError, OSError):
            await self._telling.count({"jobs_failed": 1})
        return UnrecoverableError(reason)

    async def _carry_on(self, job: Job, token: str) -> dict[str, Any]:
        """Add the work that can begin now; with none left, put the results together."""
        parent = str(job.id)
        if await self._telling.cancelled(parent):
            raise KairosError("cancelled")
        data = JobData.model_validate(job.data)
        if data.url:
            data = await self._fetched(job, data)
        merging = await asyncio.to_thread(Merging, self._project, self._service, data)
        children = await Children.of(self._keys, f"{PREFIX}:{JOBS}:{parent}")
        if data.fresh and not (children.waiting or children.done or children.failed):
            await asyncio.to_thread(merging.set_aside)
        left = await asyncio.to_thread(merging.unfinished)
        waiting = AnalyzerProgress(state="waiting")
        names = [*merging.analyzers, *([VLM] if merging.model else [])]
        await self._telling.progress(parent, dict.fromkeys(names, waiting), begin=True)
        if not children.failed:
            await self._add_parts(job, data, merging, children, left)
        # Always asked, also with nothing added now: a child may have ended since it was read.
        if await job.moveToWaitingChildren(token, {}):
            raise WaitingChildrenError
        children = await Children.of(self._keys, f"{PREFIX}:{JOBS}:{parent}")
        if await self._telling.cancelled(parent):
            raise KairosError("cancelled")
        if children.failed:
            raise KairosError("; ".join(dict.fromkeys(children.failed.values())))
        left = await asyncio.to_thread(merging.unfinished)
        vlm = children.done.get(self._vlm_id(parent, merging))
        if left or (merging.model and vlm is None):
            await self._again(job, token, left)
        return await self._merged(parent, merging, vlm)

    async def _again(self, job: Job, token: str, left: list[str]) -> None:
        """Look at a job again: its last child ended between two looks, or results are gone."""
        if job.attemptsStarted > TRIES:
            raise KairosError(
                f"results of {', '.join(left) or 'the model'} are gone since they were made: "
                "submit the video again"
            )
        await job.moveToDelayed(round(time.time() * 1000) + LATER_MS, token)
        raise DelayedError

    async def _add_parts(
        self, job: Job, data: JobData, merging: Merging, children: Children, left: list[str]
    ) -> None:
        """Add the parts that there is work for and that nothing is missing for."""
        parent = str(job.id)
        reused = [name for name in merging.analyzers if name not in left]
        if not (children.done or children.waiting):
            ended = AnalyzerProgress(state="reused", done=1, total=1)
            await self._telling.progress(parent, dict.fromkeys(reused, ended))
        for part in merging.parts:
            child = child_id(parent, part.group, part.wave)
            if child in children or not {*part.analyzers} & {*left} or part.needs & {*left}:
                continue
            stages = merging.stages_of(part)
            await self._add(job, part.group, child, self._child(data, merging, stages))
        child = self._vlm_id(parent, merging)
        if merging.model and not left and child not in children:
            whole = self._child(data, merging, merging.profile.stages)
            whole = whole.model_copy(update={"model": merging.model})
            await self._add(job, self._service.group_with(merging.model), child, whole)

    def _vlm_id(self, parent: str, merging: Merging) -> str:
        last = max((part.wave for part in merging.parts), default=0)
        return child_id(parent, self._service.group_with(merging.model), last + 1)

    def _child(self, data: JobData, merging: Merging, stages: tuple[str, ...]) -> ChildData:
        return ChildData(
            video_path=data.video_path,
            analyzers=stages,
            base=self._service.base,
            title=data.title,
        )

    async def _add(self, job: Job, group: str, child: str, data: ChildData) -> None:
        priority = int(job.opts.get("priority") or job.data.get("priority") or 0)
        options = queues.job_options(self._service.attempts, priority)
        parent = {"id": str(job.id), "queue": f"{PREFIX}:{JOBS}"}
        named = {"jobId": child, "parent": parent}
        message = data.model_dump(mode="json", exclude_defaults=True)
        await self._queue(group_queue(group)).add(group, message, {**options, **named})

    async def _fetched(self, job: Job, data: JobData) -> JobData:
        """Fetch the video of a job that names an address; the job then has its path."""
        if not self._service.ingest.hosts:
            raise KairosError(
                "this service fetches no addresses: give a videoPath, or name hosts under ingest: "
                f"in parameters/service/{self._service.name}.yaml"
            )
        from kairos_lib.ingest.fetching import fetch  # type: ignore[import-not-found,unused-ignore]
        from kairos_lib.parameters.ingest import (  # type: ignore[import-not-found,unused-ignore]
            IngestLimits,
        )

        own = self._service.ingest
        # A host here stands for those below it too.
        hosts = tuple(name for host in own.hosts for name in (host, f"*.{host}"))
        limits = IngestLimits(**{**own.model_dump(), "hosts": hosts})
        path = await asyncio.to_thread(fetch, data.url, uploads(self._project), limits)
        changed = data.model_copy(update={"video_path": self._project.relative(path), "url": ""})
        await job.updateData(changed.model_dump(mode="json", exclude_defaults=True))
        return changed

    async def _merged(self, parent: str, merging: Merging, vlm: Any) -> dict[str, Any]:
        """Put the results together, once all are there."""
        await self._telling.progress(parent, {}, "merging")
        folder = self._project.root / vlm["folder"] if vlm else None
        path, result = await asyncio.to_thread(merging.merged, folder)
        await self._telling.progress(parent, {}, "done")
        await self._telling.count({"jobs_done": 1, "media_s": result.facts.duration_s})
        return JobResult(
            result=self._project.relative(path),
            video=result.video,
            base=self._project.relative(merging.run.folder),
            vlm=vlm["folder"] if vlm else None,
        ).model_dump(mode="json")
