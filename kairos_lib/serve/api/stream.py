"""The events of the queue of jobs, read once for all who listen.

Each has an id that Redis gave it, by which a listener who was cut off goes on.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import RedisError

from kairos_lib.serve.contract import JOBS, PREFIX

LOG = logging.getLogger("kairos.api")
KEY = f"{PREFIX}:{JOBS}:events"
EVENT_ID = r"^([0-9]{1,19}-[0-9]{1,19})?$"
"""Of an event, or of none. Of two numbers of 64 bits, as far as clocks reach."""
BEFORE_ALL = "0-0"
BLOCK_MS = 1000
AGAIN_S = 1.0
BACKLOG = 2000
"""Events that wait for one listener, at most; one who is slower is cut off and comes back."""
PAGE = 1000


@dataclass(frozen=True)
class Event:
    """One event of a job."""

    id: str
    kind: str
    """In the queue's words: progress, active, completed, failed ..."""
    data: str
    """The progress as JSON; empty for others."""


def place(event_id: str) -> tuple[int, int]:
    """Where an event is among the others."""
    first, _, second = event_id.partition("-")
    return int(first), int(second or 0)


class Hub:
    """Hands the queue's events to all who listen."""

    def __init__(self, redis: Redis) -> None:
        # Its types allow for bytes too, which it was told not to return.
        self.redis: Any = redis
        self._listeners: dict[str, set[asyncio.Queue[Event | None]]] = defaultdict(set)

    @property
    def listeners(self) -> int:
        """How many listen."""
        return sum(map(len, self._listeners.values()))

    async def run(self) -> None:
        """Read until cancelled."""
        last, failing = "", False
        while True:
            try:
                last = last or await self.last_id()
                found = await self.redis.xread({KEY: last}, block=BLOCK_MS, count=PAGE)
            except RedisError as error:
                if not failing:  # Said once, not every second.
                    LOG.warning("events: %s", error)
                failing = True
                await asyncio.sleep(AGAIN_S)
                continue
            failing = False
            for event_id, fields in _entries(found):
                last = event_id
                self._hand_on(event_id, fields)

    def _hand_on(self, event_id: str, fields: dict[str, str]) -> None:
        for queue in self._listeners.get(fields.get("jobId", ""), ()):
            event = _event(event_id, fields)
            # The last place is for the word that it is over.
            queue.put_nowait(event) if queue.qsize() < BACKLOG else _cut_off(queue)

    async def last_id(self) -> str:
        """The id of the newest event of all."""
        newest = await self.redis.xrevrange(KEY, count=1)
        return str(newest[0][0]) if newest else BEFORE_ALL

    async def reaches_back_to(self, event_id: str) -> bool:
        """Whether all events after one are still kept: the stream's length is limited."""
        oldest = await self.redis.xrange(KEY, count=1)
        return bool(oldest) and place(str(oldest[0][0])) <= place(event_id)

    def close(self) -> None:
        """Tell all who listen that it is over."""
        for queues in list(self._listeners.values()):
            for queue in queues:
                _cut_off(queue)

    async def follow(self, job: str, after: str) -> AsyncGenerator[Event | None]:
        """The events of a job after one, those to come too; None once when all past are told.

        Ends if the listener is too slow, or the hub is closed.
        """
        with self._listening(job) as queue:
            async for event in self._past(job, after):
                after = event.id
                yield event
            yield None
            while (coming := await queue.get()) is not None:
                if place(coming.id) > place(after):
                    yield coming

    @contextmanager
    def _listening(self, job: str) -> Iterator[asyncio.Queue[Event | None]]:
        queue: asyncio.Queue[Event | None] = asyncio.Queue()
        self._listeners[job].add(queue)
        try:
            yield queue
        finally:
            self._listeners[job].discard(queue)
            if not self._listeners[job]:
                del self._listeners[job]

    async def _past(self, job: str, after: str) -> AsyncIterator[Event]:
        while found := await self.redis.xrange(KEY, min=f"({after}", count=PAGE):
            for event_id, fields in found:
                after = str(event_id)
                if fields.get("jobId") == job:
                    yield _event(after, fields)


def _cut_off(queue: asyncio.Queue[Event | None]) -> None:
    while not queue.empty():
        queue.get_nowait()
    queue.put_nowait(None)


def _event(event_id: str, fields: dict[str, str]) -> Event:
    return Event(str(event_id), fields.get("event", ""), fields.get("data", ""))


def _entries(found: Any) -> Iterator[tuple[str, dict[str, str]]]:
    """The entries of an answer of XREAD, whose form depends on the protocol's version."""
    streams = found.values() if isinstance(found, dict) else [s[1] for s in found or ()]
    for entries in streams:
        # With the newer protocol they are in one more list.
        flat = entries[0] if entries and isinstance(entries[0], list) else entries
        for event_id, fields in flat:
            yield str(event_id), fields
