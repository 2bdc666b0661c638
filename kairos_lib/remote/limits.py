"""Keeps requests within a service's limits, over all threads and processes of a project.

Does not know what is requested.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from kairos_lib.errors import KairosError
from kairos_lib.runs.files import read_record, write_json
from kairos_lib.runs.record import Record

POLL_S = 0.05
"""How often to check whether another process has released what this one waits for."""


class Limits:
    """At most so many requests at once and so many in any minute, as counted by the service.

    A service counts a request when it arrives, some time between the moment it is sent and the
    moment its answer or its failure is known here. So one of a minute's places is taken before the
    request is sent and is free again a minute after it has *ended*: whatever the network's delay,
    each arrival has a place of its own from then until a minute later, and no window of a minute
    can hold more arrivals than there are places.

    A place is a file lock, which ends with the process that holds it, and a small file with the
    time when its last request ended. So a run that was killed and started again, or two runs at
    once, keep the limits too.

    Args:
        folder: Where the places are stored; one for each account or deployment with limits.
        concurrency: Requests at once.
        per_minute: Requests in any minute; None for no such limit.
        minute_s: Length of a minute; tests and benchmarks make it shorter.
    """

    def __init__(
        self, folder: Path, concurrency: int, per_minute: int | None, minute_s: float = 60.0
    ) -> None:
        self._at_once = [_Place(folder / f"at-once-{n}", 0.0) for n in range(concurrency)]
        self._per_minute = [
            _Place(folder / f"minute-{n}", minute_s) for n in range(per_minute or 0)
        ]
        self._changed = threading.Condition()
        self._paused_until_s = 0.0
        self._stopped = ""

    @contextmanager
    def request(self) -> Iterator[None]:
        """Wait until a request may be sent, and hold its places during a block.

        Raises:
            KairosError: The limits were stopped.
        """
        places = self._enter()
        try:
            yield
        finally:
            with self._changed:
                for place in places:
                    place.give_back()
                self._changed.notify_all()

    def pause(self, length_s: float) -> None:
        """Keep this process from sending anything for a while."""
        with self._changed:
            self._paused_until_s = max(self._paused_until_s, time.monotonic() + length_s)

    def wait(self, length_s: float) -> None:
        """Wait without stopping others; ends at once if the limits are stopped."""
        with self._changed:
            self._changed.wait_for(lambda: self._stopped, length_s)

    def stop(self, reason: str) -> None:
        """Keep this process from sending anything more; all waiting requests raise the reason."""
        with self._changed:
            self._stopped = self._stopped or reason
            self._changed.notify_all()

    def _enter(self) -> list[_Place]:
        with self._changed:
            while True:
                if self._stopped:
                    raise KairosError(self._stopped)
                paused_s = self._paused_until_s - time.monotonic()
                if paused_s <= 0 and (places := self._take()):
                    return places
                self._changed.wait(max(paused_s, POLL_S))

    def _take(self) -> list[_Place]:
        """A place of each kind; empty if one kind has none free."""
        running = next((place for place in self._at_once if place.take()), None)
        if running is None:
            return []
        if not self._per_minute:
            return [running]
        counted = next((place for place in self._per_minute if place.take()), None)
        if counted is None:
            running.give_back()
            return []
        return [running, counted]


class _Rest(Record):
    """State of a place that must rest after use."""

    ended_at: float | None
    """Unix time, since machines that share the folder share no other clock; None while a request
    is in progress."""


class _Place:
    """Room for one request at a time, with a rest after each."""

    def __init__(self, path: Path, rest_s: float) -> None:
        self._lock = FileLock(path.with_suffix(".lock"), thread_local=False)
        self._memory = path.with_suffix(".json")
        self._rest_s = rest_s
        self._free_at = 0.0

    def take(self) -> bool:
        """Take it; returns whether it was free."""
        if self._lock.is_locked or time.time() < self._free_at:
            return False
        self._memory.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._lock.acquire(timeout=0)
        except Timeout:
            return False
        if self._rested():
            self._remember(None)
            return True
        self._lock.release()
        return False

    def give_back(self) -> None:
        """End the request that it was taken for."""
        self._remember(time.time())
        self._lock.release()

    def _rested(self) -> bool:
        if not self._rest_s:
            return True
        known = read_record(self._memory, _Rest)
        if known is None:
            return True
        now = time.time()
        if known.ended_at is None or known.ended_at > now:
            # Its holder was killed at an unknown time, or the clock was set back: the request may
            # have arrived as late as this.
            self._remember(now)
            return False
        self._free_at = known.ended_at + self._rest_s
        return now >= self._free_at

    def _remember(self, ended_at: float | None) -> None:
        if self._rest_s:
            self._free_at = ended_at + self._rest_s if ended_at is not None else 0.0
            write_json(self._memory, _Rest(ended_at=ended_at).model_dump(), durable=False)
