"""Loaded models, kept for whoever needs them next: of another video, or of another request."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

from kairos_lib.measure.memory import free_cached_memory


class Key(NamedTuple):
    """What makes two loaded models the same."""

    analyzer: str
    settings: str
    """Those that loading depends on, as JSON."""
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
    """Loads models and keeps them, as long as they have room together.

    One who uses a model has it alone; others wait. What is not in use is given up for what is
    wanted, the one that was used longest ago first.

    Args:
        total_mib: What all models together may hold. One that claims more is loaded alone.
    """

    def __init__(self, total_mib: int) -> None:
        self.total_mib = total_mib
        self.hits = 0
        """How often a model was there already."""
        self.loads = 0
        self.evictions = 0
        """How many were given up for want of room."""
        self._kept: OrderedDict[Key, _Kept] = OrderedDict()
        self._changed = threading.Condition()
        self._loading = threading.Lock()

    @contextmanager
    def using(self, key: Key, memory_mib: int, load: Callable[[], Any]) -> Iterator[Any]:
        """Have a model for the length of a block; waits for it, or for its room.

        Args:
            key: Which one.
            memory_mib: What it takes of the device.
            load: Makes it, where it is not there; never called beside another's.
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
                if kept.model is None:  # It could not be loaded.
                    del self._kept[key]
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
        """Whether one more model may be loaded, others given up for it."""
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
