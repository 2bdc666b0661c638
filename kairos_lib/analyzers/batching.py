"""Work in batches that shrink when the device runs out of memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Generic, TypeVar

from kairos_lib.errors import KairosError
from kairos_lib.measure.memory import free_cached_memory, is_out_of_memory

Item = TypeVar("Item")
Result = TypeVar("Result")


class Batches(Generic[Item, Result]):
    """Calls a model with as many items at once as fit.

    A batch that runs out of memory is halved and tried again, down to one; the size that fitted is
    used from then on.

    Args:
        work: Takes a batch and returns one result for each item.
        size: Largest batch to try.
    """

    def __init__(self, work: Callable[[Sequence[Item]], Sequence[Result]], size: int) -> None:
        self._work = work
        self.size = size
        """Largest batch that fits, as far as known."""

    def results(self, items: Iterable[Item]) -> Iterator[tuple[Item, Result]]:
        """Each item with its result, in order."""
        waiting: list[Item] = []
        for item in items:
            waiting.append(item)
            if len(waiting) >= self.size:
                yield from self._done(waiting)
                waiting = []
        yield from self._done(waiting)

    def _done(self, items: Sequence[Item]) -> Iterator[tuple[Item, Result]]:
        while items:
            batch = items[: self.size]
            try:
                found = self._work(batch)
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error):
                    raise
                if len(batch) == 1:
                    raise KairosError(
                        "out of memory with a single item: free some of the device's memory"
                    ) from error
                self.size = len(batch) // 2
                free_cached_memory()
                continue
            yield from zip(batch, found, strict=True)
            items = items[len(batch) :]
