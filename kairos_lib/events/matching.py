"""Who gets what, when each in turn takes what it likes best of what is left.

Knows nothing of events: of positions on a line, and of pairs of numbers.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.int64]
Values = npt.NDArray[np.float64]

NOBODY = -1
LATEST_MS = 2.0**52
"""So late that a float counts single milliseconds no more; what is later is taken for this."""


def milliseconds(times_s: Sequence[float] | Values) -> Values:
    """Times as whole milliseconds, as files hold them: sums of seconds are off by a little."""
    given_s = np.asarray(times_s, np.float64)
    whole: Values = np.rint(np.minimum(given_s, LATEST_MS / 1000) * 1000)
    return whole


def near(points: Values, others: Values, reach: float) -> tuple[Numbers, Numbers]:
    """All pairs of a point and another that are at most so far apart.

    Args:
        points: Positions, in any order.
        others: Positions, ascending.
        reach: The distance that still counts.

    Returns:
        Of each pair the number of its point, ascending, and that of the other, ascending within
        a point.
    """
    first = np.searchsorted(others, points - reach, side="left")
    counts = np.searchsorted(others, points + reach, side="right") - first
    owners = np.repeat(np.arange(len(points)), counts)
    starts = np.cumsum(counts) - counts
    return owners, np.arange(len(owners)) + np.repeat(first - starts, counts)


def in_turn(choosers: Numbers, choices: Numbers, turns: int, things: int) -> Numbers:
    """Let each in turn take the first of its choices that nobody before it took.

    All ask at once, and a thing stays with the earliest that asked for it so far; who is turned
    away asks for its next choice (deferred acceptance: Gale and Shapley, The American Mathematical
    Monthly 69, 1962). Where all things prefer the same askers, nothing but what turns would give
    is stable, so the end is the same, in a few steps instead of one for each.

    Args:
        choosers: Of each pair, whose choice it is: the number of its turn; ascending.
        choices: Of each pair, what is wanted; those of one chooser in the order of its liking.
        turns: How many choosers there are.
        things: How many there are to be had.

    Returns:
        For each thing who has it, or `NOBODY`.
    """
    at = np.searchsorted(choosers, np.arange(turns), side="left")
    end = np.searchsorted(choosers, np.arange(turns), side="right")
    holders = np.full(things, turns, np.int64)
    asking = np.flatnonzero(at < end)
    while asking.size:
        wanted = choices[at[asking]]
        before = holders[wanted]
        np.minimum.at(holders, wanted, asking)
        after = holders[wanted]
        turned_away = np.unique(
            np.concatenate([asking[after != asking], before[(after != before) & (before < turns)]])
        )
        at[turned_away] += 1
        asking = turned_away[at[turned_away] < end[turned_away]]
    return np.where(holders == turns, NOBODY, holders)
