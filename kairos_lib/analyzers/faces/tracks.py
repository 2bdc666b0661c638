"""Follows faces from frame to frame by how much their boxes overlap."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kairos_lib.analyzers.faces.detector import overlaps

REACH = 2.0
"""Boxes are made so many times as wide and high before they are compared: between two frames of a
few per second, a head moves by its own width."""
SAME = 0.2
"""Least overlap (intersection over union) of these with the last ones, about 1.3 widths apart."""
LOST_S = 1.0
"""A face that is not seen for longer gets a new number when it comes back."""


@dataclass
class _Track:
    number: int
    time_s: float
    box: np.ndarray


class Tracks:
    """Gives faces numbers, from 0; the same faces always get the same numbers."""

    def __init__(self) -> None:
        self._known: list[_Track] = []
        self._next = 0

    def numbers(self, time_s: float, boxes: Sequence[np.ndarray]) -> list[int]:
        """The number of each box.

        The pairs that overlap most are matched first. A number can survive a cut, where another
        face is in the same place.

        Args:
            time_s: Time of the frame, later than those before.
            boxes: Left, top, right, bottom, in any unit that stays the same.
        """
        self._known = [one for one in self._known if time_s - one.time_s <= LOST_S]
        pairs = [
            (-shared, known, new)
            for new, box in enumerate(boxes)
            for known, shared in enumerate(self._shared(box))
            if shared >= SAME
        ]
        matched: dict[int, _Track] = {}
        taken: set[int] = set()
        for _, known, new in sorted(pairs):
            if new not in matched and known not in taken:
                taken.add(known)
                matched[new] = self._known[known]
        for new, box in enumerate(boxes):
            if new not in matched:
                matched[new] = _Track(self._next, time_s, box)
                self._known.append(matched[new])
                self._next += 1
            matched[new].time_s, matched[new].box = time_s, box
        return [matched[new].number for new in range(len(boxes))]

    def _shared(self, box: np.ndarray) -> list[float]:
        if not self._known:
            return []
        known = np.stack([_wide(one.box) for one in self._known])
        return [float(one) for one in overlaps(_wide(box), known)]


def _wide(box: np.ndarray) -> np.ndarray:
    middle, half = (box[:2] + box[2:]) / 2, (box[2:] - box[:2]) / 2 * REACH
    return np.concatenate([middle - half, middle + half])
