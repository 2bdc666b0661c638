"""Windows that slide over a video on one grid, their batches, and slices of them.

The grid begins at the start of the video whatever part of it is asked about, and batches are cut
from it before slices are: what is asked of a model does not depend on how the work is shared out.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count, takewhile

from kairos_lib.parameters.spotting import Share, Windows

WHOLE = Share()


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


def grid(duration_s: float, windows: Windows, part: Share = WHOLE) -> list[Window]:
    """All windows over a part of a video, in order.

    Args:
        duration_s: Of the whole video. A window that begins in the part may end behind it.
        windows: Their size and step.
        part: Which windows.
    """
    starts_s = takewhile(lambda one: one < duration_s, (n * windows.step_s for n in count()))
    found = []
    for number, start_s in enumerate(starts_s):
        if start_s < part.from_s or (part.to_s is not None and start_s >= part.to_s):
            continue
        moments_s = (start_s + i / windows.frames_per_second for i in range(windows.frames))
        times_s = tuple(moment for moment in moments_s if moment < duration_s)
        end_s = min(start_s + windows.length_s, duration_s)
        found.append(Window(number, start_s, end_s, times_s))
    return found


def batches(windows: list[Window], size: int) -> list[list[Window]]:
    """Windows that are asked about at once: neighbours, the last ones fewer."""
    return [windows[first : first + size] for first in range(0, len(windows), size)]


def share(whole: list[list[Window]], part: Share) -> list[list[Window]]:
    """The batches of one slice: neighbours, as many as other slices have but for one.

    Args:
        whole: All batches.
        part: Whose slice; 0 has all of them.
    """
    if not part.slice:
        return whole
    first, last = (len(whole) * n // part.slices for n in (part.slice - 1, part.slice))
    return whole[first:last]
