"""Looks at queues, processes and GPUs once a second, and keeps the last minutes of it."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

from pydantic import BaseModel
from redis.exceptions import RedisError

from kairos_lib.serve.api.gpus import Gpu, Gpus
from kairos_lib.serve.api.queues import PENDING, Queues
from kairos_lib.serve.contract import JOBS, Heartbeat

LOG = logging.getLogger("kairos.api")
EVERY_S = 1.0
BUCKET_S = 10
BUCKETS = 60
RUNNING = ("active", "waiting-children")


@dataclass(frozen=True)
class Sample:
    """The service at one moment."""

    at_s: float
    counts: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """How many jobs each queue has in each state."""
    counters: Mapping[str, float] = field(default_factory=dict)
    """The numbers that only grow."""
    workers: tuple[Heartbeat, ...] = ()
    gpus: tuple[Gpu, ...] = ()

    @property
    def waiting(self) -> int:
        """Jobs that nobody works on."""
        return sum(self.counts.get(JOBS, {}).get(state, 0) for state in PENDING)

    @property
    def running(self) -> int:
        """Jobs that somebody works on."""
        return sum(self.counts.get(JOBS, {}).get(state, 0) for state in RUNNING)

    @property
    def memory_mib(self) -> float:
        """Resident memory of all groups' processes."""
        return sum(worker.rss_mib for worker in self.workers)

    @property
    def gpu_percent(self) -> float | None:
        """How busy the busiest GPU is."""
        return max((gpu.percent for gpu in self.gpus), default=None)

    @property
    def hit_rate(self) -> float | None:
        """Share of a pool's questions for a model that found it loaded."""
        return ratio(self.counters.get("hits", 0.0), self.asked)

    @property
    def asked(self) -> float:
        """How often a pool was asked for a model."""
        return self.counters.get("hits", 0.0) + self.counters.get("loads", 0.0)

    @property
    def rtf(self) -> float | None:
        """Seconds of work for a second of video."""
        return ratio(self.counters.get("work_s", 0.0), self.counters.get("media_s", 0.0))


class Series(BaseModel):
    """The last minutes, oldest first; null where nothing was seen."""

    every_s: int = BUCKET_S
    jobs_per_minute: list[float | None]
    waiting: list[float | None]
    running: list[float | None]
    memory_mib: list[float | None]
    gpu_percent: list[float | None]


def ratio(part: float, whole: float) -> float | None:
    """A share, if there is a whole."""
    return part / whole if whole > 0 else None


def series(samples: list[Sample], now_s: float) -> Series:
    """Samples as numbers of equal stretches of time, the last of which ends now."""
    stretches: list[list[Sample]] = [[] for _ in range(BUCKETS)]
    for sample in samples:
        stretch = BUCKETS - 1 - int((now_s - sample.at_s) // BUCKET_S)
        if 0 <= stretch < BUCKETS:
            stretches[stretch].append(sample)
    return Series(
        jobs_per_minute=_per_minute(stretches),
        waiting=[_mean([s.waiting for s in stretch]) for stretch in stretches],
        running=[_mean([s.running for s in stretch]) for stretch in stretches],
        memory_mib=[_mean([s.memory_mib for s in stretch]) for stretch in stretches],
        gpu_percent=[
            _mean([s.gpu_percent for s in stretch if s.gpu_percent is not None])
            for stretch in stretches
        ],
    )


def _mean(values: list[float] | list[int]) -> float | None:
    return round(sum(values) / len(values), 2) if values else None


def _per_minute(stretches: list[list[Sample]]) -> list[float | None]:
    """Jobs that ended in each stretch, for a minute of it."""
    found: list[float | None] = []
    before: Sample | None = None
    for stretch in stretches:
        # From the last of the stretch before, so that no job falls between two.
        first = before or (stretch[0] if stretch else None)
        if not stretch or first is None or stretch[-1].at_s <= first.at_s:
            found.append(None)
        else:
            jobs = stretch[-1].counters.get("jobs_done", 0.0) - first.counters.get("jobs_done", 0.0)
            # A counter that began anew belongs to a Redis that lost its data.
            minutes = (stretch[-1].at_s - first.at_s) / 60
            found.append(round(max(jobs, 0.0) / minutes, 2))
        before = stretch[-1] if stretch else None
    return found


class Sampler:
    """Looks once a second."""

    def __init__(self, queues: Queues) -> None:
        self.samples: deque[Sample] = deque(maxlen=int(BUCKETS * BUCKET_S / EVERY_S))
        self._queues = queues
        self._gpus: Gpus | None = None

    async def look(self) -> Sample:
        """How the service is now.

        Raises:
            RedisError: Redis cannot be reached.
        """
        if self._gpus is None:
            self._gpus = await asyncio.to_thread(Gpus)
        now_s = time.time()
        counts = await self._queues.counts()
        counters = await self._queues.counters()
        workers = await self._queues.workers(now_s)
        gpus = await asyncio.to_thread(self._gpus.read)
        return Sample(now_s, counts, counters, tuple(workers), tuple(gpus))

    async def run(self) -> None:
        """Look until cancelled."""
        failing = False
        while True:
            started_s = time.monotonic()
            try:
                self.samples.append(await self.look())
                failing = False
            except RedisError as error:
                if not failing:  # Said once, not every second.
                    LOG.warning("sampling: %s", error)
                failing = True
            await asyncio.sleep(max(0.1, EVERY_S - (time.monotonic() - started_s)))

    def close(self) -> None:
        """Close what was opened."""
        if self._gpus is not None:
            self._gpus.close()
