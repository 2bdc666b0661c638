"""Whether one thing takes longer than another, from rounds in which both were measured.

A round is one measurement. Whatever slows a machine for a minute slows every scene of that round,
so that the scenes of a round are not as many measurements as they are; and two runs of one round
lie near each other in time, so that their ratio is steadier than either. The unit is therefore the
ratio of one round, and the interval is Student's t of the ratios' logarithms (a ratio of 2 and one
of 1/2 are equally far from 1). `make perf-repeats` holds it against other rules on
recorded repeats.
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
"""The same thing is to be called different at most 1 time in 20. An interval of 95 % would do that
to the dot if noise were normal; that of a shared machine is not, and of recorded repeats it called
up to twice as many different."""
LEAST_ROUNDS = 3
"""Two ratios can be alike by luck, and nothing shows it."""
GOOD_ROUNDS = 5
THRESHOLD = 0.05
"""A regression is shown to be slower, and by this much or more as far as can be told."""
Direction = Literal["lower", "higher", "no difference shown", "too few rounds"]


@dataclass(frozen=True)
class Ratio:
    """How many times as much B takes as A."""

    value: float
    """Geometric mean of the rounds' ratios."""
    interval: Interval
    """Infinite where there are too few rounds."""
    rounds: int

    @property
    def direction(self) -> Direction:
        """What has been shown of B against A."""
        if self.rounds < LEAST_ROUNDS:
            return "too few rounds"
        if self.interval.holds(1.0):
            return "no difference shown"
        return "higher" if self.value > 1 else "lower"

    def beyond(self, least: float) -> Direction | Literal["no difference worth naming"]:
        """What has been shown, where a difference below a share is not worth naming.

        Args:
            least: A share, 0.05 for 5 %.
        """
        shown = self.direction in ("lower", "higher")
        if shown and max(self.value, 1 / self.value) < 1 + least:
            return "no difference worth naming"
        return self.direction

    def regressed(self, threshold: float = THRESHOLD) -> bool:
        """Whether B is a regression against A.

        Two things are asked: that the whole interval lies above 1, so that it is no accident, and
        that the ratio itself is at least `1 + threshold`, so that it matters. To ask that the whole
        interval lies above `1 + threshold` would let slowdowns of twice the threshold pass unseen.

        Args:
            threshold: A share, 0.05 for 5 %.
        """
        return self.direction == "higher" and self.value >= 1 + threshold


def ratio_of(rounds: Sequence[float], level: float = LEVEL) -> Ratio:
    """The ratio that some rounds' ratios speak for.

    Args:
        rounds: B's figure by A's, one for each round, each above 0.
        level: Share of cases in which the interval is to hold the true ratio.

    Raises:
        ValueError: There is no round, or a ratio is not above 0.
    """
    if not rounds or min(rounds) <= 0:
        raise ValueError(f"no ratio can be told from {list(rounds)}")
    logs = [math.log(ratio) for ratio in rounds]
    centre = statistics.fmean(logs)
    if len(logs) < LEAST_ROUNDS:
        return Ratio(math.exp(centre), UNKNOWN, len(logs))
    reach = quantile(level, len(logs) - 1) * statistics.stdev(logs) / math.sqrt(len(logs))
    return Ratio(
        math.exp(centre), Interval(math.exp(centre - reach), math.exp(centre + reach)), len(logs)
    )
