"""Two small pictures of each scene, picked while the video goes by.

The middle of a scene is not known until it ends, and a detector may name a cut a little after it
happened. So the newest frames are all kept as they were decoded, older ones as small pictures, a
quarter of a second apart at first and twice as far whenever there are too many: at most 64. The
nearest to the middle is taken. Scaling a frame costs more than looking for a cut in it: only
those that are kept are scaled.
"""

from __future__ import annotations

from collections import deque
from typing import Protocol

import numpy as np

CANDIDATES = 64
SPACING_S = 0.25
RECENT_BYTES = 96 << 20
"""Of decoded pixels kept unscaled: 69 frames of 720p, 31 of 1080p."""
RECENT_FRAMES = 8
"""Kept however large they are."""


class Picture(Protocol):
    """What a frame of a video looks like to the picker."""

    index: int
    time_s: float

    @property
    def size_bytes(self) -> int:
        """About what its pixels take."""

    def image(self, longest_px: int | None, *, interpolation: str) -> np.ndarray:
        """The frame as RGB, shape (height, width, 3)."""


class Candidate:
    """A frame that may become a thumbnail; it lets go of the frame once it is scaled."""

    def __init__(self, picture: Picture, longest_px: int) -> None:
        self.index = picture.index
        self.time_s = picture.time_s
        self._longest_px = longest_px
        self._picture: Picture | None = picture
        self._image: np.ndarray | None = None

    def image(self) -> np.ndarray:
        """The small picture: RGB, shape (height, width, 3), uint8."""
        if self._image is None:
            assert self._picture is not None
            self._image = self._picture.image(self._longest_px, interpolation="AREA")
            self._picture = None
        return self._image


class ThumbnailPicker:
    """Keeps what may be wanted of the scene that is going on.

    Args:
        recent_s: How long after it happened a cut can be named.
        longest_px: Longer side of a thumbnail.
    """

    def __init__(self, recent_s: float, longest_px: int) -> None:
        self._recent_s = recent_s
        self._longest_px = longest_px
        self._recent: deque[Candidate] = deque()
        self._old: list[Candidate] = []
        self._spacing_s = SPACING_S

    @property
    def kept(self) -> int:
        """How many small pictures are kept."""
        return len(self._old)

    def add(self, picture: Picture) -> None:
        """Take the next frame."""
        self._recent.append(Candidate(picture, self._longest_px))
        most = max(RECENT_FRAMES, RECENT_BYTES // max(1, picture.size_bytes))
        while self._recent[0].time_s < picture.time_s - self._recent_s or len(self._recent) > most:
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
        candidate.image()
        self._old.append(candidate)
        if len(self._old) > CANDIDATES:
            self._spacing_s *= 2
            self._old = self._old[::2]
