"""How far base processing is, when several stages are at work at once."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

EVERY_S = 0.25


class Board:
    """Stages say how far they are; one line says it of them all, in percent.

    Args:
        names: All stages.
        tell: Takes what is at work, how much is done and of how much.
    """

    def __init__(self, names: list[str], tell: Callable[[str, int, int], None]) -> None:
        self._share = dict.fromkeys(names, 0.0)
        self._at_work: dict[str, None] = {}
        self._tell = tell
        self._lock = threading.Lock()
        self._reported_at = 0.0

    def teller(self, name: str) -> Callable[[int, int], None]:
        """What a stage calls with how much it has done and of how much."""

        def report(done: int, total: int) -> None:
            self._update(name, done / max(1, total))

        return report

    def begin(self, name: str) -> None:
        """A stage is at work."""
        with self._lock:
            self._at_work[name] = None
        self._update(name, 0.0, at_once=True)

    def end(self, name: str) -> None:
        """A stage has ended."""
        with self._lock:
            self._at_work.pop(name, None)
        self._update(name, 1.0, at_once=True)

    def _update(self, name: str, share: float, at_once: bool = False) -> None:
        with self._lock:
            self._share[name] = min(1.0, share)
            now = time.monotonic()
            if not at_once and now - self._reported_at < EVERY_S:
                return
            self._reported_at = now
            percent = round(100 * sum(self._share.values()) / len(self._share))
            self._tell(", ".join(self._at_work) or name, percent, 100)
