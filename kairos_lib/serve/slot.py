"""A place for one resident process: starts it, warms it, gives it work, and replaces it.

Knows nothing of queues. A process that died, ran too long, was cancelled or grew too large is
followed by a fresh one; only the job that it was busy with notices.
"""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
import socket
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import TimeoutError as PoolTimeoutError
from pathlib import Path
from typing import Any

import psutil
from pebble import ProcessExpired, ProcessPool

from kairos_lib.errors import KairosError
from kairos_lib.project import Project
from kairos_lib.serve import resident_process
from kairos_lib.serve.contract import AnalyzerProgress, ChildData, WorkerState
from kairos_lib.serve.resident import MIB
from kairos_lib.serve.work_records import Done, Setup, Stats

Told = Callable[[str, AnalyzerProgress], None]
LARGEST_DATAGRAM = 65536
WARMING_AGAIN_S = 2.0


class DiedError(Exception):
    """The process died while it worked on a job."""


class TimeUpError(Exception):
    """The job took longer than it may."""


class Slot:
    """One resident process after the other.

    Args:
        project: The checkout.
        setup: Of its processes; where they are listened to is added.
    """

    def __init__(self, project: Project, setup: Setup) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="kairos-")
        ear = str(Path(self._folder.name) / "ear")
        self._setup = Setup(project.root, setup.service, setup.group, ear)
        self._limit_mib = setup.service.groups[setup.group].memory_limit_mib
        self._ear = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._ear.setblocking(False)
        self._ear.bind(ear)
        self._pool: ProcessPool | None = None
        self._verified = False
        self._job = ""
        self._told: Told | None = None
        self._warming = asyncio.Lock()
        self.stats: Stats | None = None
        """Of the present process; None until it is warm."""
        self.since_s = time.time()
        """When the present process began."""
        self.state: WorkerState = "loading"
        self.problem = ""
        """Why it cannot be warmed, if so."""
        asyncio.get_running_loop().add_reader(self._ear, self._hear)

    def _hear(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while True:
                job, name, told = self._ear.recv(LARGEST_DATAGRAM).decode().split("\n", 2)
                if job == self._job and self._told is not None:
                    self._told(name, AnalyzerProgress.model_validate_json(told))

    async def ready(self) -> None:
        """Wait until the process has its models.

        Raises:
            KairosError: They cannot be loaded.
            DiedError: The process died of it.
        """
        async with self._warming:
            if self._pool is not None and not self._alive():
                await self.discard()  # It died with nothing to do.
            if self.stats is not None:
                return
            self.state = "loading"
            try:
                self.stats = await self._call(None, resident_process.warm, not self._verified)
            except BaseException as error:
                self.problem = str(error)
                await self.discard()
                raise
            self._verified, self.problem = True, ""
            self.state = "ready"

    async def keep_warm(self) -> None:
        """Replace the process as soon as it dies, for as long as this runs."""
        while True:
            if self.state != "busy" and not (self.stats and self._alive()):
                with contextlib.suppress(KairosError, DiedError):
                    await self.ready()
            await asyncio.sleep(0.5 if self.stats else WARMING_AGAIN_S)

    def _alive(self) -> bool:
        return self.stats is None or psutil.pid_exists(self.stats.pid)

    async def work(self, job: str, data: ChildData, timeout_s: float, told: Told) -> Done:
        """Do a group's part of a job; cancelling kills the process.

        Args:
            job: Its id.
            data: What to do.
            timeout_s: After which the process is killed.
            told: Called with how far each analyzer is.

        Raises:
            KairosError: It cannot be done, and why.
            DiedError: The process died.
            TimeUpError: It took too long.
        """
        await self.ready()
        self.state, self._job, self._told = "busy", job, told
        try:
            done: Done = await self._call(timeout_s, resident_process.work, job, data)
        except (DiedError, TimeUpError, asyncio.CancelledError):
            await self.discard()
            raise
        finally:
            self._job, self._told = "", None
            if self.state == "busy":
                self.state = "ready"
        self.stats = done.stats
        if self._limit_mib and done.stats and done.stats.rss_mib > self._limit_mib:
            await self.discard()
        return done

    async def _call(self, timeout_s: float | None, call: Callable[..., Any], *args: Any) -> Any:
        if self._pool is None:
            self._pool = ProcessPool(
                1,
                initializer=resident_process.begin,
                initargs=(self._setup,),
                context=multiprocessing.get_context("spawn"),
            )
            self.since_s = time.time()
        try:
            # From this thread: the process ends with the thread that starts it.
            future = self._pool.schedule(call, args=args, timeout=timeout_s)
            return await asyncio.wrap_future(future)
        except PoolTimeoutError as error:
            raise TimeUpError(f"it took longer than {timeout_s:.0f} s") from error
        except ProcessExpired as error:
            raise DiedError(f"the process died ({_cause(error.exitcode)})") from error
        except RuntimeError as error:
            # Pebble's own: the pool has no process any more.
            if self._pool.active:
                raise
            raise DiedError("the process died") from error

    def rss_mib(self) -> float:
        """Memory of the process at this moment."""
        if self.stats is None:
            return 0.0
        try:
            return float(psutil.Process(self.stats.pid).memory_info().rss / MIB)
        except psutil.NoSuchProcess:
            return 0.0

    async def discard(self) -> None:
        """End the process; the next one starts when it is needed."""
        pool, self._pool, self.stats = self._pool, None, None
        self.state = "loading"
        if pool is not None:
            pool.stop()  # type: ignore[no-untyped-call]
            await asyncio.shield(asyncio.to_thread(pool.join))

    async def close(self) -> None:
        """End the process for good."""
        await self.discard()
        self.state = "gone"
        asyncio.get_running_loop().remove_reader(self._ear)
        self._ear.close()
        self._folder.cleanup()


def _cause(code: int | None) -> str:
    return f"signal {-code}" if code is not None and code < 0 else f"exit code {code}"
