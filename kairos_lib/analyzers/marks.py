"""How findings are drawn: stretches on a timeline, boxes on a picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


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


def until_next(times_s: Sequence[float]) -> list[float]:
    """When each of several samples is followed by the next.

    The last is taken to be as long as the one before; a lone one as long as a second.
    """
    last_s = times_s[-1] - times_s[-2] if len(times_s) > 1 else 1.0
    return [*times_s[1:], *(time_s + last_s for time_s in times_s[-1:])]
