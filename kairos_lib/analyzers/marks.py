"""How findings are drawn: stretches on a timeline, boxes on a picture."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

LONGEST_STEP_S = 2.0
"""Sightings farther apart than this are apart, whatever their rate."""
JITTER = 1.75
"""Frames are not exactly as far apart as asked for: two steps would be 2."""
STEPS = 4
"""So many that follow one another tell how often was looked: a video of 5 frames per second looked
at 4 times a second has steps of one frame and of two."""
ALIKE = 2.25
"""Such steps differ by a frame: the longest is at most about twice the shortest."""


@dataclass(frozen=True)
class Mark:
    """A stretch of a timeline's lane."""

    start_s: float
    end_s: float
    """The same as `start_s` for a moment."""
    text: str = ""
    """What it is, in a few words; marks of the same text get the same colour."""
    level: float | None = None
    """Height in the lane from 0 to 1, for a lane that is a curve."""
    colour: str = ""
    """`#rrggbb`, for a lane whose colours mean something."""


@dataclass(frozen=True)
class Box:
    """A rectangle in a frame."""

    time_s: float
    box: tuple[float, float, float, float]
    """Left, top, right, bottom as shares of the frame's width and height."""
    text: str = ""
    end_s: float | None = None
    """Until when it stays there; None for what was found in the frame of `time_s` alone."""


def until_next(times_s: Sequence[float]) -> list[float]:
    """When each of several samples is followed by the next.

    The last is taken to be as long as the one before; a lone one as long as a second.
    """
    last_s = times_s[-1] - times_s[-2] if len(times_s) > 1 else 1.0
    return [*times_s[1:], *(time_s + last_s for time_s in times_s[-1:])]


def seen_until(times_s: Sequence[float]) -> list[float]:
    """Until when each of several frames counts in which something was seen, in order of time.

    A frame counts until the next one if that was the next to be looked at, otherwise for a step; a
    lone one is a moment, as nothing tells how long a step is.
    """
    if len(times_s) < 2:
        return list(times_s)
    step_s = _step_s([after - before for before, after in pairwise(times_s)])
    last_s = times_s[-1] + step_s
    return [
        after if after - before <= JITTER * step_s else before + step_s
        for before, after in pairwise(times_s)
    ] + [last_s]


def _step_s(between: Sequence[float]) -> float:
    """How far apart the frames are that were looked at, from times between those with sightings.

    Not the shortest: a single frame that comes too early says nothing of the others. Nor the usual
    one, unless too little was seen: what is seen now and then has more gaps than steps.
    """
    runs = [between[at : at + STEPS] for at in range(len(between) - STEPS + 1)]
    means = [statistics.fmean(run) for run in runs if max(run) <= ALIKE * min(run)]
    return min(*(means or [statistics.median_low(between)]), LONGEST_STEP_S)
