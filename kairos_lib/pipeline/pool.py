"""Loaded models, kept for later use: by another video, or by another request."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

from kairos_lib.measure.memory import free_cached_memory


class Key(NamedTuple):
    """What identifies a loaded model."""

    analyzer: str
    settings: str
    """Settings that loading depends on, as JSON."""
    weights: str
    """A commit or a SHA-256."""
    device: str
    """`cpu`, `cuda` or `cuda:1`."""


@dataclass
class _Kept:
    memory_mib: int
    model: Any = None
    """None until it is loaded."""
    in_use: bool = True


class Pool:
    """Loads models and keeps them, as long as they fit together.

    A model has one user at a time; others wait. To make room for another model, unused ones are
    dropped, the least recently used first.

    Args:
        total_mib: Limit for all models together. One that claims more is loaded alone.
    """

    def __init__(self, total_mib: int) -> None:
        self.total_mib = total_mib
        self.hits = 0
        """How often a model was already loaded."""
        self.loads = 0
        self.evictions = 0
        """How many were dropped to make room."""
        self.fitting: dict[Key, int] = {}
        """The largest batch that has fitted beside each model."""
        self._kept: OrderedDict[Key, _Kept] = OrderedDict()
        self._changed = threading.Condition()
        self._loading = threading.Lock()

    @contextmanager
    def using(self, key: Key, memory_mib: int, load: Callable[[], Any]) -> Iterator[Any]:
        """Use a model during a block; waits for it, or for room.

        Args:
            key: Which model.
            memory_mib: Its memory on the device.
            load: Loads it if necessary; never called at the same time as another's.
        """
        kept = self._claim(key, memory_mib)
        try:
            if kept.model is None:
                with self._loading:
                    kept.model = load()
            yield kept.model
        finally:
            with self._changed:
                kept.in_use = False
                if kept.model is None:  # Loading failed.
                    del self._kept[key]
                self._changed.notify_all()

    def drop_idle(self) -> None:
        """Drop every model that has no user at this moment."""
        with self._changed:
            for key in [key for key, kept in self._kept.items() if not kept.in_use]:
                del self._kept[key]
                self.evictions += 1
            free_cached_memory()
            self._changed.notify_all()

    def _claim(self, key: Key, memory_mib: int) -> _Kept:
        with self._changed:
            while True:
                if (kept := self._kept.get(key)) is not None:
                    if not kept.in_use:
                        kept.in_use = True
                        self.hits += 1
                        self._kept.move_to_end(key)
                        return kept
                elif self._has_room(memory_mib):
                    self.loads += 1
                    self._kept[key] = _Kept(memory_mib)
                    return self._kept[key]
                self._changed.wait()

    def _has_room(self, memory_mib: int) -> bool:
        """Whether one more model may be loaded, after dropping unused ones."""
        wanted = min(memory_mib, self.total_mib)
        busy = sum(min(k.memory_mib, self.total_mib) for k in self._kept.values() if k.in_use)
        if busy + wanted > self.total_mib:
            return False
        idle = [key for key, kept in self._kept.items() if not kept.in_use]
        held = sum(min(kept.memory_mib, self.total_mib) for kept in self._kept.values())
        for key in idle:
            if held + wanted <= self.total_mib:
                break
            held -= min(self._kept.pop(key).memory_mib, self.total_mib)
            self.evictions += 1
            free_cached_memory()
        return True
