"""Whether one thing takes longer than another, from rounds in which both were measured.

A round is one measurement. Anything that slows a machine for a minute slows every scene of that
round, so the scenes of a round are not independent measurements; and two runs of one round are
close together in time, so their ratio is steadier than either. The unit is therefore the ratio of
one round, and the interval is Student's t of the ratios' logarithms (a ratio of 2 and one of 1/2
are equally far from 1). `make perf-repeats` compares it with other rules on recorded repeats.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from kairos_lib.statistics.bootstrap import UNKNOWN, Interval
from kairos_lib.statistics.student import quantile

LEVEL = 0.99
"""The same thing should be called different at most 1 time in 20. An interval of 95 % would achieve
exactly that if noise were normal; on a shared machine it is not, and for recorded repeats it called
up to twice as many different."""
LEAST_ROUNDS = 3
"""Two ratios can be alike by chance, which nothing would show."""
GOOD_ROUNDS = 5
THRESHOLD = 0.05
"""A regression must be shown to be slower, and its estimate must be at least this much."""
Direction = Literal["lower", "higher", "no difference shown", "too few rounds"]


@dataclass(frozen=True)
class Ratio:
    """How many times as much B takes as A."""

    value: float
    """Geometric mean of the rounds' ratios."""
    interval: Interval
    """Infinite if there are too few rounds."""
    rounds: int

    @property
    def direction(self) -> Direction:
        """What the rounds show about B against A."""
        if self.rounds < LEAST_ROUNDS:
            return "too few rounds"
        if self.interval.holds(1.0):
            return "no difference shown"
        return "higher" if self.value > 1 else "lower"

    def beyond(self, least: float) -> Direction | Literal["no difference worth naming"]:
        """What the rounds show, if differences below a share are not worth naming.

        Args:
            least: A share, 0.05 for 5 %.
        """
        shown = self.direction in ("lower", "higher")
        if shown and max(self.value, 1 / self.value) < 1 + least:
            return "no difference worth naming"
        return self.direction

    def regressed(self, threshold: float = THRESHOLD) -> bool:
        """Whether B is a regression against A.

        Two conditions: the whole interval is above 1, so that it is not chance, and the ratio
        itself is at least `1 + threshold`, so that it matters. Requiring the whole interval to be
        above `1 + threshold` would miss slowdowns of twice the threshold.

        Args:
            threshold: A share, 0.05 for 5 %.
        """
        return self.direction == "higher" and self.value >= 1 + threshold


def ratio_of(rounds: Sequence[float], level: float = LEVEL) -> Ratio:
    """The ratio estimated from the ratios of some rounds.

    Args:
        rounds: B's value divided by A's, one for each round, each above 0.
        level: Share of cases in which the interval should contain the true ratio.

    Raises:
        ValueError: There is no round, or a ratio is not above 0.
    """
    if not rounds or min(rounds) <= 0:
        raise ValueError(f"no ratio can be computed from {list(rounds)}")
    logs = [math.log(ratio) for ratio in rounds]
    centre = statistics.fmean(logs)
    if len(logs) < LEAST_ROUNDS:
        return Ratio(math.exp(centre), UNKNOWN, len(logs))
    reach = quantile(level, len(logs) - 1) * statistics.stdev(logs) / math.sqrt(len(logs))
    return Ratio(
        math.exp(centre), Interval(math.exp(centre - reach), math.exp(centre + reach)), len(logs)
    )
