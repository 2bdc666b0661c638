"""Average precision of detections, by the usual definition. Knows no models and no files."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

Corners = tuple[float, float, float, float]
"""Left, top, right and bottom, all in the same unit."""


@dataclass(frozen=True)
class Shown:
    """An object that is in a picture."""

    picture: int
    label: str
    box: Corners


@dataclass(frozen=True)
class Guess:
    """An object that a detector says is in a picture."""

    picture: int
    label: str
    box: Corners
    score: float


def overlap(a: Corners, b: Corners) -> float:
    """The area that two boxes share, as a share of what they cover together."""
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    shared = width * height
    return shared / (_area(a) + _area(b) - shared)


def hits(shown: Iterable[Shown], guesses: Iterable[Guess], least: float = 0.5) -> list[bool]:
    """Say of each guess, from the most certain to the least, whether it finds an object.

    A guess finds the object of its label and picture that it overlaps most, if by `least` or
    more, and if no more certain guess has found it.
    """
    waiting: dict[tuple[int, str], list[Corners]] = defaultdict(list)
    for item in shown:
        waiting[item.picture, item.label].append(item.box)
    found: list[bool] = []
    for guess in sorted(guesses, key=lambda g: -g.score):
        boxes = waiting[guess.picture, guess.label]
        best = max(boxes, key=lambda box: overlap(box, guess.box), default=None)
        found.append(best is not None and overlap(best, guess.box) >= least)
        if found[-1] and best is not None:
            boxes.remove(best)
    return found


def average_precision(found: Sequence[bool], shown: int) -> float:
    """The area under the curve of precision over recall, made to fall only.

    Args:
        found: Of each guess, the most certain first, whether it is right.
        shown: How many objects there were to find, at least 1.
    """
    right = np.cumsum(found)
    precision = right / np.arange(1, len(found) + 1)
    falling = np.maximum.accumulate(precision[::-1])[::-1]
    return float(falling[np.asarray(found, dtype=bool)].sum() / shown)


def mean_average_precision(
    shown: Sequence[Shown], guesses: Sequence[Guess], least: float = 0.5
) -> float:
    """The mean over all labels that are shown; a label that never is does not count."""
    return float(
        np.mean(
            [
                average_precision(
                    hits(
                        [s for s in shown if s.label == label],
                        [g for g in guesses if g.label == label],
                        least,
                    ),
                    sum(s.label == label for s in shown),
                )
                for label in sorted({s.label for s in shown})
            ]
        )
    )


def _area(box: Corners) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])
