"""How findings are drawn: stretches on a timeline, boxes on a picture."""

from __future__ import annotations

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
