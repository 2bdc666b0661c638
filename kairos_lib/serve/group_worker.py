"""Takes a group's work from its queue and gives it to resident processes. Loads no model itself.

Its event loop is never blocked: a lock that is not renewed in time makes a job run twice.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import shutil
import signal
import socket
import time
from typing import Any

from bullmq import Job
from bullmq.custom_errors import UnrecoverableError
from pydantic import ValidationError
from redis.exceptions import RedisError

from kairos_lib.errors import KairosError
from kairos_lib.parameters.service import Service
from kairos_lib.project import Project
from kairos_lib.serve import queues
from kairos_lib.serve.contract import (
    JOBS,
    VLM,
    AnalyzerProgress,
    ChildData,
    Heartbeat,
    group_queue,
)
from kairos_lib.serve.resident import MIB
from kairos_lib.serve.slot import DiedError, Slot
from kairos_lib.serve.telling import Telling
from kairos_lib.serve.work_records import Done, Setup, Stats, UnusableError

CANCEL_EVERY_S = 0.5
BEAT_EVERY_S = 1.0
GRACE_S = 8.0
"""How long work that has begun may go on after the worker is told to stop."""
LOADING_TRIES = 3
POOLED = ("hits", "loads", "evictions")
log = logging.getLogger(__name__)


class GroupWorker:
    """The workers of a group on this machine.

    Args:
        project: The checkout.
        service: Its parameters.
        name: The group's.
    """

    def __init__(self, project: Project, service: Service, name: str) -> None:
        self._project = project
        self._service = service
        self._name = name
        self._group = service.groups[name]
        self._host = socket.gethostname()
        self._keys = queues.client()
        self._telling = Telling(self._keys, queues.queue(JOBS))
        setup = Setup(project.root, service, name, ear="")
        self._slots = [Slot(project, setup) for _ in range(self._group.processes)]
        self._free: asyncio.Queue[Slot] = asyncio.Queue()
        self._done = {id(slot): [0, 0] for slot in self._slots}
        """Jobs that ended well, and errors."""
        self._counted: dict[int, Stats] = {}

    async def run(self) -> None:
        """Work until told to stop.

        Raises:
            KairosError: The models cannot be loaded.
            QueueEndedError: The queue ended.
        """
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        beating = asyncio.create_task(self._beat())
        worker = queues.worker(group_queue(self._name), self._process, len(self._slots))
        stopping = asyncio.create_task(stop.wait())
        warming = asyncio.create_task(self._warm())
        keeping: list[asyncio.Task[None]] = []
        running: asyncio.Task[None] | None = None
        try:
            await asyncio.wait({stopping, warming}, return_when=asyncio.FIRST_COMPLETED)
            if not stop.is_set():
                await warming
                log.info("%s: ready", self._name)
                keeping = [asyncio.create_task(slot.keep_warm()) for slot in self._slots]
                running = asyncio.create_task(worker.run())
                await asyncio.wait({stopping, running}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            # Its `close` ends with the work that has begun, and cannot be cancelled.
            await asyncio.wait({asyncio.ensure_future(worker.close())}, timeout=GRACE_S)
            for task in (beating, stopping, warming, *keeping, running):
                if task is not None:
                    task.cancel()
            pids = [os.getpid(), *(slot.stats.pid for slot in self._slots if slot.stats)]
            for slot in self._slots:
                await slot.close()
            with contextlib.suppress(RedisError, OSError):
                await self._telling.gone(self._name, self._host, pids)
        if not stop.is_set():
            raise queues.QueueEndedError(
                f"the queue of group {self._name} ended: is Redis still there?"
            )

    async def _warm(self) -> None:
        """Load every process's models; a process killed meanwhile is no reason to give up."""
        for slot in self._slots:
            for attempt in range(LOADING_TRIES):
                try:
                    await slot.ready()
                    break
                except DiedError:
                    if attempt + 1 == LOADING_TRIES:
                        raise
            self._free.put_nowait(slot)

    async def _process(self, job: Job, token: str) -> dict[str, Any]:
        try:
            return await self._carry_out(job)
        except asyncio.CancelledError:
            # Let through, it would end the worker without a word.
            raise RuntimeError("the worker was stopped") from None
        except (UnusableError, ValidationError) as error:
            raise UnrecoverableError(str(error)) from error

    async def _carry_out(self, job: Job) -> dict[str, Any]:
        data = ChildData.model_validate(job.data)
        parent = str((job.parent or {}).get("id", ""))
        # A question has no parent and is cancelled by its own id.
        wanted = parent or str(job.id)
        if await self._cancelled(wanted):
            raise UnrecoverableError("cancelled")
        self._check_disk()
        slot = await self._free.get()
        counts = self._done[id(slot)]
        began = time.monotonic()
        news: dict[str, AnalyzerProgress] = {}
        work = asyncio.ensure_future(
            slot.work(str(job.id), data, self._service.timeout_s, news.__setitem__)
        )
        try:
            done = await self._watched(work, wanted, news)
            if done.answer is not None:
                counts[0] += 1
                return done.answer.model_dump(mode="json")
            await self._ended(parent, done, time.monotonic() - began)
            if done.failed:
                raise KairosError(done.failed)
            counts[0] += 1
            return {"folder": done.folder, "key": done.key}
        except UnrecoverableError:
            raise
        except Exception as error:
            counts[1] += 1
            if isinstance(error, UnusableError) or job.attemptsMade + 1 >= job.opts["attempts"]:
                await self._lost(parent, data, str(error))
            raise
        finally:
            self._free.put_nowait(slot)

    async def _watched(
        self, work: asyncio.Future[Done], parent: str, news: dict[str, AnalyzerProgress]
    ) -> Done:
        """Wait for work, pass on its progress, and kill it if its job is cancelled."""
        try:
            while True:
                finished, _ = await asyncio.wait({work}, timeout=CANCEL_EVERY_S)
                if finished:
                    return work.result()
                if parent and await self._cancelled(parent):
                    raise UnrecoverableError("cancelled")
                if parent and news:
                    told = dict(news)
                    news.clear()
                    with contextlib.suppress(RedisError, OSError):
                        await self._telling.progress(parent, told)
        finally:
            if not work.done():
                work.cancel()
                with contextlib.suppress(asyncio.CancelledError, Exception):
                    await work

    async def _ended(self, parent: str, done: Done, took_s: float) -> None:
        # Work is not done again because Redis is away for a moment.
        with contextlib.suppress(RedisError, OSError):
            if parent:
                await self._telling.progress(parent, done.analyzers)
            await self._telling.count(self._amounts(done, took_s))

    async def _cancelled(self, parent: str) -> bool:
        with contextlib.suppress(RedisError, OSError):
            return await self._telling.cancelled(parent)
        return False

    @staticmethod
    def _amounts(done: Done, took_s: float) -> dict[str, float]:
        amounts = {"work_s": took_s}
        for name, time_s in done.times_s.items():
            amounts |= {f"stage_s:{name}": time_s, f"stages:{name}": 1}
        return amounts

    def _pooled(self) -> dict[str, float]:
        """What the processes' pools have done since this was asked last."""
        amounts = dict.fromkeys(POOLED, 0.0)
        for slot in self._slots:
            if (stats := slot.stats) is None:
                continue
            before = self._counted.get(stats.pid)
            for what in POOLED:
                amounts[what] += getattr(stats, what) - getattr(before, what, 0)
            self._counted[stats.pid] = stats
        return {what: amount for what, amount in amounts.items() if amount}

    async def _lost(self, parent: str, data: ChildData, reason: str) -> None:
        """Say of what nobody will try again that it failed."""
        mine = {VLM} if data.model else {*data.analyzers} & {*self._group.analyzers}
        failed = AnalyzerProgress(state="failed", reason=reason)
        if parent:
            with contextlib.suppress(RedisError, OSError):
                await self._telling.progress(parent, dict.fromkeys(mine, failed))

    def _check_disk(self) -> None:
        """Check that there is room for results.

        Raises:
            KairosError: There is not.
        """
        self._project.runs.mkdir(exist_ok=True)
        free_mib = shutil.disk_usage(self._project.runs).free / MIB
        if free_mib < self._service.free_disk_mib:
            raise KairosError(
                f"{self._project.runs} has {free_mib:.0f} MiB free, less than free_disk_mib "
                f"({self._service.free_disk_mib}): make room"
            )

    async def _beat(self) -> None:
        """Say once a second how each process is."""
        known: set[int] = set()
        forget_at = 0.0
        while True:
            with contextlib.suppress(RedisError, OSError):
                beats = [self._heartbeat(slot) for slot in self._slots]
                await self._telling.beat(beats)
                now = {one.pid for one in beats}
                await self._telling.gone(self._name, self._host, sorted(known - now))
                known = now
                if amounts := self._pooled():
                    await self._telling.count(amounts)
                if time.monotonic() > forget_at:
                    forget_at = time.monotonic() + 60
                    await self._telling.forget_silent()
            await asyncio.sleep(BEAT_EVERY_S)

    def _heartbeat(self, slot: Slot) -> Heartbeat:
        stats = slot.stats
        jobs, errors = self._done[id(slot)]
        return Heartbeat(
            group=self._name,
            host=self._host,
            # Before its process is there, this one stands for it.
            pid=stats.pid if stats else os.getpid(),
            device=self._group.device,
            state=slot.state,
            rss_mib=slot.rss_mib(),
            vram_mib=stats.vram_mib if stats else 0.0,
            hits=stats.hits if stats else 0,
            loads=stats.loads if stats else 0,
            evictions=stats.evictions if stats else 0,
            jobs=jobs,
            errors=errors,
            since_s=slot.since_s,
            seen_s=time.time(),
        )
