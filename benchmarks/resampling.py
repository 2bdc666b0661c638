"""How often a rule calls two sets of rounds different, found by drawing from recorded repeats.

Knows nothing of what was timed. A rule is given the rounds' seconds of A and of B; both are drawn
from repeats of the same thing, B's multiplied by a planted slowdown, which may be none.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from kairos_lib.statistics.decision import LEVEL, THRESHOLD, Direction, Ratio, ratio_of
from kairos_lib.statistics.student import quantile

ROUNDS = 5
DRAWS = 5000
SEED = 6
PLANTED = 1.10
Pair = tuple[list[float], list[float]]
"""Seconds of A and of B, one of each for a round."""
Draw = Callable[[Sequence[float]], Iterator[Pair]]
Rule = Callable[[Sequence[float], Sequence[float]], Direction]


def any_ten(repeats: Sequence[float], draws: int = DRAWS) -> Iterator[Pair]:
    """Ten different repeats, whenever they were made: five for A, five for B, paired by chance."""
    rng = np.random.default_rng(SEED)
    for _ in range(draws):
        chosen = [repeats[place] for place in rng.permutation(len(repeats))[: 2 * ROUNDS]]
        yield chosen[:ROUNDS], chosen[ROUNDS:]


def neighbours(repeats: Sequence[float], draws: int = DRAWS) -> Iterator[Pair]:
    """Five of the pairs of neighbours, in order of time, as rounds A B A B are."""
    rng = np.random.default_rng(SEED)
    for _ in range(draws):
        chosen = sorted(rng.permutation(len(repeats) // 2)[:ROUNDS])
        yield [repeats[2 * n] for n in chosen], [repeats[2 * n + 1] for n in chosen]


def in_a_row(repeats: Sequence[float]) -> Iterator[Pair]:
    """Every five pairs in a row, taken as A B A B: what one bench would have made."""
    for first in range(0, len(repeats) - 2 * ROUNDS + 1, 2):
        ten = repeats[first : first + 2 * ROUNDS]
        yield list(ten[::2]), list(ten[1::2])


@dataclass(frozen=True)
class Rates:
    """How often a rule spoke, over many draws."""

    draws: int
    different: float
    """Share of draws of the same thing that were called different."""
    found: float
    """Share of draws with a planted slowdown in which B was called slower."""


def rates(pairs: Sequence[Pair], rule: Rule, planted: float = PLANTED) -> Rates:
    """How often a rule is wrong of the same thing, and right of a planted slowdown."""
    different = found = 0
    for before, after in pairs:
        different += rule(before, after) in ("lower", "higher")
        found += rule(before, slowed(after, planted)) == "higher"
    return Rates(len(pairs), different / len(pairs), found / len(pairs))


def regressions(pairs: Sequence[Pair], planted: float) -> float:
    """Share of draws that `kairos compare` would end with exit code 1, at its own threshold."""
    ended = [compared(before, slowed(after, planted)).regressed() for before, after in pairs]
    return sum(ended) / len(ended)


def slowed(seconds: Sequence[float], planted: float) -> list[float]:
    """What they would be, if each took so many times as long."""
    return [planted * each for each in seconds]


def compared(before: Sequence[float], after: Sequence[float], level: float = LEVEL) -> Ratio:
    """What `kairos compare` makes of rounds, at its own level if no other is given."""
    return ratio_of([b / a for a, b in zip(before, after, strict=True)], level)


def ours(before: Sequence[float], after: Sequence[float]) -> Direction:
    """The rule of `kairos compare`."""
    return compared(before, after).direction


def usual(before: Sequence[float], after: Sequence[float]) -> Direction:
    """The rule of `kairos compare` with an interval of 95 %, as most would take."""
    return compared(before, after, 0.95).direction


def unpaired(before: Sequence[float], after: Sequence[float]) -> Direction:
    """Welch's t of the logarithms, which knows of no rounds (Biometrika 34, 1947)."""
    logs = [[math.log(seconds) for seconds in side] for side in (before, after)]
    centre = statistics.fmean(logs[1]) - statistics.fmean(logs[0])
    parts = [statistics.variance(side) / len(side) for side in logs]
    total = sum(parts)
    degrees = total**2 / sum(p**2 / (len(side) - 1) for p, side in zip(parts, logs, strict=True))
    # Whole degrees, rounded down, are the cautious ones.
    return _direction(centre, quantile(LEVEL, int(degrees)) * math.sqrt(total))


def percentiles(before: Sequence[float], after: Sequence[float]) -> Direction:
    """Plain percentiles of all 3,125 ways to draw five ratios of five."""
    return _bootstrapped(before, after, (1 - LEVEL) / 2)


def widened(before: Sequence[float], after: Sequence[float]) -> Direction:
    """The same, widened for few values as `kairos_lib.statistics.bootstrap` does."""
    t = quantile(LEVEL, ROUNDS - 1) * math.sqrt(ROUNDS / (ROUNDS - 1))
    return _bootstrapped(before, after, statistics.NormalDist().cdf(-t))


def _bootstrapped(before: Sequence[float], after: Sequence[float], tail: float) -> Direction:
    logs = np.log(np.asarray(after) / np.asarray(before))
    low, high = np.quantile(logs[_WAYS].mean(axis=1), [tail, 1 - tail])
    return "higher" if low > 0 else "lower" if high < 0 else "no difference shown"


_WAYS = np.stack(np.meshgrid(*[np.arange(ROUNDS)] * ROUNDS), axis=-1).reshape(-1, ROUNDS)


def medians(before: Sequence[float], after: Sequence[float]) -> Direction:
    """What one does by eye: medians more than 5 % apart."""
    centre = math.log(statistics.median(after) / statistics.median(before))
    return _direction(centre, math.log(1 + THRESHOLD))


def _direction(centre: float, reach: float) -> Direction:
    if abs(centre) <= reach:
        return "no difference shown"
    return "higher" if centre > 0 else "lower"
