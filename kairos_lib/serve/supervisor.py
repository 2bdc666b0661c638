"""Runs all parts of the service on one machine, and starts again what ends.

Every process it starts ends with it, however it ends: by Ctrl-C, by a signal, or by a kill that it
does not notice, since the kernel then ends its children, and they theirs.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import logging
import os
import signal
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass

from kairos_lib.errors import KairosError
from kairos_lib.parameters.service import Service
from kairos_lib.project import Project
from kairos_lib.serve import own_redis
from kairos_lib.serve.contract import OWN_PORT, REDIS_URL

PR_SET_PDEATHSIG = 1
FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 10.0
STEADY_S = 30.0
"""A part that ran for so long is started again at once."""
ENDING_S = 12.0
"""How long a part may take to end what it has begun."""
REDIS_S = 20.0
HOPELESS = 2
"""Exit code of a command that says what a user must change; started again it would say the same."""
log = logging.getLogger(__name__)
_libc = ctypes.CDLL(None)


def ends_with_parent() -> None:
    """In a process that was just started: end when the process that started it does."""
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


@dataclass
class Part:
    """One process of the service."""

    name: str
    command: list[str]
    needed: bool = True
    """Whether the service ends where it cannot be started at all."""
    process: asyncio.subprocess.Process | None = None


class Supervisor:
    """The processes of a service on this machine.

    Args:
        project: The checkout.
        service: Its parameters.
        only: Groups to run; all of them if empty.
        redis_port: Where to start a Redis, if none is named in the environment.
    """

    def __init__(
        self,
        project: Project,
        service: Service,
        only: tuple[str, ...] = (),
        redis_port: int = OWN_PORT,
    ) -> None:
        self._project = project
        kairos = [sys.executable, "-m", "kairos_lib.cli"]
        named = ["--service", service.name]
        self._redis: Part | None = None
        self.address = os.environ.get(REDIS_URL, "").strip()
        """Of Redis."""
        if not self.address:
            self.address = f"redis://127.0.0.1:{redis_port}"
            self._redis = Part("redis", own_redis.command(project, redis_port))
        groups = only or tuple(service.groups)
        self._parts = [
            Part("coordinator", [*kairos, "coordinator", *named]),
            *(Part(g, [*kairos, "worker", *named, "--group", g]) for g in groups),
            Part("api", [*kairos, "api", *named], needed=False),
        ]
        self._stop = asyncio.Event()
        self._problem = ""

    @property
    def _environment(self) -> Mapping[str, str]:
        return {**os.environ, REDIS_URL: self.address, "KAIROS_ROOT": str(self._project.root)}

    async def run(self) -> None:
        """Run until told to stop.

        Raises:
            KairosError: A part cannot be started; it has said why.
        """
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            asyncio.get_running_loop().add_signal_handler(number, self._stop.set)
        keeping: list[asyncio.Task[None]] = []
        try:
            if self._redis is not None:
                keeping.append(asyncio.create_task(self._keep(self._redis)))
            await self._redis_answers()
            keeping += [asyncio.create_task(self._keep(part)) for part in self._parts]
            await self._stop.wait()
        finally:
            self._stop.set()
            # First those that write to Redis, then Redis.
            await asyncio.gather(*(self._end(part) for part in self._parts))
            if self._redis is not None:
                await self._end(self._redis)
            await asyncio.gather(*keeping, return_exceptions=True)
        if self._problem:
            raise KairosError(self._problem)

    async def _keep(self, part: Part) -> None:
        """Start a part again whenever it ends."""
        pause_s = FIRST_PAUSE_S
        while not self._stop.is_set():
            began = time.monotonic()
            part.process = await asyncio.create_subprocess_exec(
                *part.command,
                env=self._environment,
                stdin=asyncio.subprocess.DEVNULL,
                preexec_fn=ends_with_parent,
                # Ctrl-C reaches this process alone, which ends the parts in their order.
                start_new_session=True,
            )
            code = await part.process.wait()
            if self._stop.is_set():
                return
            if code == HOPELESS and time.monotonic() - began < STEADY_S:
                log.error("%s cannot be started", part.name)
                if part.needed:
                    self._problem = f"{part.name} cannot be started: see above"
                    self._stop.set()
                return
            log.warning("%s ended with %s: starting it again", part.name, code)
            steady = time.monotonic() - began > STEADY_S
            pause_s = FIRST_PAUSE_S if steady else min(2 * pause_s, LONGEST_PAUSE_S)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stop.wait(), pause_s)

    async def _end(self, part: Part) -> None:
        process = part.process
        if process is None or process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        try:
            await asyncio.wait_for(process.wait(), ENDING_S)
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    async def _redis_answers(self) -> None:
        """Wait for Redis.

        Raises:
            KairosError: It does not answer.
        """
        from redis.exceptions import RedisError

        from kairos_lib.serve.queues import client

        keys = client(self.address)
        deadline = time.monotonic() + REDIS_S
        while not self._stop.is_set():
            try:
                await keys.ping()
                break
            except (RedisError, OSError) as error:
                if time.monotonic() > deadline:
                    raise KairosError(
                        f"Redis at {self.address} does not answer: {error}"
                    ) from error
                await asyncio.sleep(0.1)
        await keys.aclose()
