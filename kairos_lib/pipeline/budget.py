"""Memory of the device, shared among the stages that run at once."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class MemoryBudget:
    """Admits stages as long as their claims fit together.

    Args:
        total_mib: Limit for all of them. A stage that claims more runs alone.
    """

    def __init__(self, total_mib: int) -> None:
        self.total_mib = total_mib
        self._held_mib = 0
        self._changed = threading.Condition()

    @contextmanager
    def held(self, mib: int) -> Iterator[None]:
        """Hold memory during a block; waits until it is free."""
        mib = min(mib, self.total_mib)
        with self._changed:
            self._changed.wait_for(lambda: self._held_mib + mib <= self.total_mib)
            self._held_mib += mib
        try:
            yield
        finally:
            with self._changed:
                self._held_mib -= mib
                self._changed.notify_all()
