"""Two small pictures of each scene, picked while the video goes by.

The middle of a scene is not known until it ends, and a detector may name a cut a little after it
happened. So recent frames are all kept, older ones at a stride that doubles: at most 64, and the
nearest to the middle is taken.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np

CANDIDATES = 64


@dataclass(frozen=True)
class Candidate:
    """A frame that may become a thumbnail."""

    index: int
    time_s: float
    image: np.ndarray


class ThumbnailPicker:
    """Keeps what may be wanted of the scene that is going on.

    Args:
        recent_s: How long after it happened a cut can be named.
    """

    def __init__(self, recent_s: float) -> None:
        self._recent_s = recent_s
        self._recent: deque[Candidate] = deque()
        self._old: list[Candidate] = []
        self._stride = 1
        self._first_index: int | None = None

    def add(self, candidate: Candidate) -> None:
        """Take the next frame."""
        if self._first_index is None:
            self._first_index = candidate.index
        self._recent.append(candidate)
        while self._recent[0].time_s < candidate.time_s - self._recent_s:
            self._retire(self._recent.popleft())

    def close(self, end_s: float) -> tuple[Candidate, Candidate]:
        """End the scene: its first frame and the one nearest to its middle.

        Frames at or after the end become the beginning of the next scene.
        """
        everything = [*self._old, *self._recent]
        mine = [c for c in everything if c.time_s < end_s] or everything[:1]
        rest = [c for c in everything if c.time_s >= end_s]
        middle_s = (mine[0].time_s + end_s) / 2
        middle = min(mine, key=lambda candidate: abs(candidate.time_s - middle_s))
        self._old = []
        self._stride = 1
        self._recent = deque(rest)
        self._first_index = rest[0].index if rest else None
        return mine[0], middle

    def _retire(self, candidate: Candidate) -> None:
        if (candidate.index - (self._first_index or 0)) % self._stride:
            return
        self._old.append(candidate)
        if len(self._old) > CANDIDATES:
            self._stride *= 2
            first = self._first_index or 0
            self._old = [c for c in self._old if (c.index - first) % self._stride == 0]
