"""Sightings in frames looked at in steps, joined into stretches. Does not know what was seen."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

from kairos_lib.analyzers.marks import Mark

LONGEST_STEP_S = 2.0
"""Sightings farther apart than this are apart, whatever their rate."""
JITTER = 1.75
"""Frames are not exactly as far apart as asked for: two steps would be 2."""


def joined(sightings: Iterable[tuple[float, str]]) -> list[Mark]:
    """What was seen in frames looked at in steps, as stretches: those that follow are joined.

    Args:
        sightings: A time in seconds and what was seen then, in any order. The step is the smallest
            distance between two different times, `LONGEST_STEP_S` at most.
    """
    times_s: dict[str, set[float]] = {}
    for time_s, text in sightings:
        times_s.setdefault(text, set()).add(time_s)
    looked = sorted(set().union(*times_s.values())) if times_s else []
    between = [after - before for before, after in pairwise(looked)]
    step_s = min([*between, LONGEST_STEP_S])
    found = []
    for text, seen in times_s.items():
        first_s = last_s = min(seen)
        for time_s in sorted(seen):
            if time_s - last_s > JITTER * step_s:
                found.append(Mark(first_s, last_s + step_s, text))
                first_s = time_s
            last_s = time_s
        found.append(Mark(first_s, last_s + step_s, text))
    return sorted(found, key=lambda mark: (mark.start_s, mark.text))
