"""Sightings in frames looked at in steps, joined into stretches. Does not know what was seen."""

from __future__ import annotations

from collections.abc import Iterable

from kairos_lib.analyzers.marks import Mark, seen_until


def joined(sightings: Iterable[tuple[float, str]]) -> list[Mark]:
    """What was seen in frames looked at in steps, as stretches: those that follow are joined.

    Args:
        sightings: A time in seconds and what was seen then, in any order.
    """
    times_s: dict[str, set[float]] = {}
    for time_s, text in sightings:
        times_s.setdefault(text, set()).add(time_s)
    looked = sorted(set().union(*times_s.values()))
    until = dict(zip(looked, seen_until(looked), strict=True))
    found: list[Mark] = []
    for text, seen in times_s.items():
        first_s = last_s = min(seen)
        for time_s in sorted(seen):
            if time_s > until[last_s]:
                found.append(Mark(first_s, until[last_s], text))
                first_s = time_s
            last_s = time_s
        found.append(Mark(first_s, until[last_s], text))
    return sorted(found, key=lambda mark: (mark.start_s, mark.text))
