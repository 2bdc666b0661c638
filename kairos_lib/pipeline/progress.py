"""Progress of base processing while several stages run at once."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

EVERY_S = 0.25


class Board:
    """Combines the progress of all stages into one line, in percent.

    Args:
        names: All stages.
        tell: Called with the running stages, and how much is done of how much.
        watch: Called with each stage by itself: how much of it is done, and of how much.
    """

    def __init__(
        self,
        names: list[str],
        tell: Callable[[str, int, int], None],
        watch: Callable[[str, int, int], None] | None = None,
    ) -> None:
        self._share = dict.fromkeys(names, 0.0)
        self._at_work: dict[str, None] = {}
        self._tell = tell
        self._watch = watch or (lambda name, done, total: None)
        self._lock = threading.Lock()
        self._reported_at = 0.0

    def teller(self, name: str) -> Callable[[int, int], None]:
        """A callback for a stage to report how much it has done and of how much."""

        def report(done: int, total: int) -> None:
            self._update(name, done / max(1, total))
            self._watch(name, done, total)

        return report

    def begin(self, name: str) -> None:
        """Mark a stage as running."""
        with self._lock:
            self._at_work[name] = None
        self._update(name, 0.0, at_once=True)
        self._watch(name, 0, 0)

    def end(self, name: str) -> None:
        """Mark a stage as ended."""
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
