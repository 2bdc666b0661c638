"""Which of several choices no other beats in two measures. Knows nothing of what they are."""

from __future__ import annotations

from collections.abc import Sequence


def beaten_by(points: Sequence[tuple[float, float]]) -> list[list[int]]:
    """Which points of the Pareto front beat each point.

    One beats another if it costs no more and is worth no less, and is better in at least one. Two
    equal points do not beat one another.

    Args:
        points: What each costs (less is better) and is worth (more is better).

    Returns:
        For each point the indices of those on the front that beat it, the cheapest first; empty for
        a point that is on the front itself.
    """
    beaten = [[rival for rival in range(len(points)) if _beats(points[rival], point)]
              for point in points]  # fmt: skip
    front = {place for place, rivals in enumerate(beaten) if not rivals}
    return [
        sorted(front.intersection(rivals), key=lambda place: points[place]) for rivals in beaten
    ]


def _beats(one: tuple[float, float], other: tuple[float, float]) -> bool:
    return one != other and one[0] <= other[0] and one[1] >= other[1]
