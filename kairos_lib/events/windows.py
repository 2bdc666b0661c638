"""Windows that slide over a video on one grid, their batches, and slices of them.

The grid begins at the start of the video whatever part of it is asked about, and batches are cut
from it before slices are: what is asked of a model does not depend on how the work is shared out.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count, takewhile

from kairos_lib.parameters.spotting import Windows


@dataclass(frozen=True)
class Window:
    """One stretch of a video that a model is asked about."""

    number: int
    """Its place on the grid, counted from the start of the video."""
    start_s: float
    end_s: float
    """No later than the end of the video."""
    times_s: tuple[float, ...]
    """The moments to look at; fewer in a window that the end of the video cuts."""

    def holds(self, time_s: float) -> bool:
        """Whether a moment is in it."""
        return self.start_s <= time_s < self.end_s


@dataclass(frozen=True)
class Part:
    """A part of a video: the windows that start in it."""

    from_s: float = 0.0
    to_s: float | None = None
    """None is the end of the video."""

    def holds(self, start_s: float) -> bool:
        """Whether a window that starts then is in it."""
        return self.from_s <= start_s and (self.to_s is None or start_s < self.to_s)


WHOLE = Part()


def grid(duration_s: float, windows: Windows, part: Part = WHOLE) -> list[Window]:
    """All windows over a part of a video, in order.

    Args:
        duration_s: Of the whole video. A window that begins in the part may end behind it.
        windows: Their size and step.
        part: Which windows.
    """
    starts_s = takewhile(lambda one: one < duration_s, (n * windows.step_s for n in count()))
    found = []
    for number, start_s in enumerate(starts_s):
        if not part.holds(start_s):
            continue
        moments_s = (start_s + i / windows.frames_per_second for i in range(windows.frames))
        times_s = tuple(moment for moment in moments_s if moment < duration_s)
        end_s = min(start_s + windows.length_s, duration_s)
        found.append(Window(number, start_s, end_s, times_s))
    return found


def batches(windows: list[Window], size: int) -> list[list[Window]]:
    """Windows that are asked about at once: neighbours, the last ones fewer."""
    return [windows[first : first + size] for first in range(0, len(windows), size)]


@dataclass(frozen=True)
class Slice:
    """One of several shares of the work on a video."""

    number: int = 1
    """From 1 on."""
    of: int = 1

    def take(self, whole: list[list[Window]]) -> list[list[Window]]:
        """Its batches: neighbours, and as many as the other slices have, but for one."""
        first, last = (len(whole) * n // self.of for n in (self.number - 1, self.number))
        return whole[first:last]
