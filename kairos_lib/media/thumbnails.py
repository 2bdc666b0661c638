"""Two small pictures of each scene, picked while the video goes by.

The middle of a scene is not known until it ends, and a detector may name a cut a little after it
happened. So the newest pictures are all kept, older ones a quarter of a second apart at first and
twice as far whenever there are too many: at most 64. The nearest to the middle is taken.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np

CANDIDATES = 64
SPACING_S = 0.25


@dataclass(frozen=True)
class Candidate:
    """A frame that may become a thumbnail."""

    time_s: float
    image: np.ndarray
    """Scaled already: a decoded frame that is held on to costs the decoder more than its scaling,
    for it must then write into memory that no cache has."""


class ThumbnailPicker:
    """Keeps what may be wanted of the scene that is going on.

    Args:
        recent_s: How long after it happened a cut can be named.
    """

    def __init__(self, recent_s: float) -> None:
        self._recent_s = recent_s
        self._recent: deque[Candidate] = deque()
        self._old: list[Candidate] = []
        self._spacing_s = SPACING_S

    @property
    def kept(self) -> int:
        """How many pictures are kept that are not among the newest."""
        return len(self._old)

    def add(self, time_s: float, image: np.ndarray) -> None:
        """Take the next frame, scaled."""
        self._recent.append(Candidate(time_s, image))
        while self._recent[0].time_s < time_s - self._recent_s:
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
        self._spacing_s = SPACING_S
        self._recent = deque(rest)
        return mine[0], middle

    def _retire(self, candidate: Candidate) -> None:
        if self._old and candidate.time_s < self._old[-1].time_s + self._spacing_s:
            return
        self._old.append(candidate)
        if len(self._old) > CANDIDATES:
            self._spacing_s *= 2
            self._old = self._old[::2]
