"""Two small pictures of each scene, picked while the video is decoded.

The middle of a scene is not known until it ends, and a detector may report a cut a little after it
happened. So the newest pictures are all kept, and older ones at intervals of a quarter of a second
at first, doubled whenever there are too many: at most 64. The nearest to the middle is used.
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
    """Already scaled: keeping a decoded frame costs the decoder more than scaling it, because it
    must then write into uncached memory."""


class ThumbnailPicker:
    """Keeps the pictures that may be needed of the present scene.

    Args:
        recent_s: How long after it happened a cut can be reported.
    """

    def __init__(self, recent_s: float) -> None:
        self._recent_s = recent_s
        self._recent: deque[Candidate] = deque()
        self._old: list[Candidate] = []
        self._spacing_s = SPACING_S

    @property
    def kept(self) -> int:
        """Number of pictures kept besides the newest."""
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
