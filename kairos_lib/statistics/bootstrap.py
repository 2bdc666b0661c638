"""Bootstrap intervals: how far a statistic could be off, from the values themselves.

Scenes of one video are alike, so twenty scenes of one video say less than twenty scenes of twenty
videos. Values can therefore be given clusters (their videos): then clusters are drawn first, with
replacement, and values within each of them (Davison and Hinkley, Bootstrap Methods and Their
Application, 1997, section 3.8, the second of its two strategies, which errs on the wide side). The
interval is that of percentiles, widened for few values by Student's t (Hesterberg, What Teachers
Should Know About the Bootstrap, The American Statistician 69, 2015, section 4.3.3): plain
percentiles of five values contain the true mean in about 83 of 100 cases, not in 95.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kairos_lib.statistics.student import quantile

Values = NDArray[np.float64]
Statistic = Callable[[Values], float]
RESAMPLES = 2000
LEVEL = 0.95


@dataclass(frozen=True)
class Interval:
    """Where the true value probably is, both ends included."""

    low: float
    high: float

    @property
    def known(self) -> bool:
        """Whether there were enough values to say anything."""
        return math.isfinite(self.low) and math.isfinite(self.high)

    def holds(self, value: float) -> bool:
        """Whether a value is inside."""
        return self.low <= value <= self.high


UNKNOWN = Interval(-math.inf, math.inf)


def mean(values: Values) -> float:
    """The arithmetic mean."""
    return float(values.mean())


def interval(
    values: ArrayLike,
    clusters: Sequence[Hashable] | None = None,
    statistic: Statistic = mean,
    level: float = LEVEL,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Interval:
    """The interval of a statistic of some values.

    - **Several clusters**: clusters are drawn, then values within each; the interval applies to
      other clusters (videos) like these. It is widened for the number of clusters.
    - **One cluster, or none given**: only values are drawn; the interval applies to other values
      (scenes) of the same cluster, and says nothing about another video.
    - **Few values**: it is widened, but cannot exceed the range of the resamples: for two values,
      the range between them. Below about ten values or five clusters, treat it as rough.
    - **One value**: nothing is known, and the ends are infinite (`Interval.known` is false).

    Args:
        values: Shape (n,), or (n, k) where a statistic needs k numbers of each observation, such
            as a ratio of sums.
        clusters: For each value, n in all; any hashable thing, such as a video's name.
        statistic: From an array like `values`, with rows drawn with replacement, to a number. A
            resample without a result (NaN) is left out.
        level: Share of cases in which the interval should contain the true value.
        resamples: How many times values are drawn.
        seed: The same seed and values give the same interval.

    Returns:
        Low and high end, in the unit of the statistic.

    Raises:
        ValueError: There are no values, or not as many clusters as values.
    """
    rows = np.asarray(values, dtype=np.float64)
    if len(rows) == 0:
        raise ValueError("there are no values to make an interval of")
    if clusters is not None and len(clusters) != len(rows):
        raise ValueError(f"{len(rows)} values but clusters of {len(clusters)}")
    groups = _groups(clusters, len(rows))
    units = len(groups) if len(groups) > 1 else len(rows)
    if units < 2:
        return UNKNOWN
    rng = np.random.default_rng(seed)
    drawn = np.array([statistic(rows[_draw(rng, groups)]) for _ in range(resamples)])
    drawn = drawn[np.isfinite(drawn)]
    if len(drawn) == 0:
        return UNKNOWN
    tail = _tail(level, units)
    low, high = np.quantile(drawn, [tail, 1 - tail])
    return Interval(float(low), float(high))


def _groups(clusters: Sequence[Hashable] | None, count: int) -> list[NDArray[np.intp]]:
    """The places of each cluster's values, in the order in which clusters first appear."""
    if clusters is None:
        return [np.arange(count)]
    places: dict[Hashable, list[int]] = {}
    for place, cluster in enumerate(clusters):
        places.setdefault(cluster, []).append(place)
    return [np.array(each, dtype=np.intp) for each in places.values()]


def _draw(rng: np.random.Generator, groups: list[NDArray[np.intp]]) -> NDArray[Any]:
    """The places of one resample."""
    if len(groups) == 1:
        return groups[0][rng.integers(len(groups[0]), size=len(groups[0]))]
    chosen = [groups[number] for number in rng.integers(len(groups), size=len(groups))]
    return np.concatenate([group[rng.integers(len(group), size=len(group))] for group in chosen])


def _tail(level: float, units: int) -> float:
    """The share of resamples outside each end, fewer than `(1 - level) / 2` for few units."""
    # The bootstrap's spread is that of n values with n, not n - 1, in the denominator.
    t = quantile(level, units - 1) * math.sqrt(units / (units - 1))
    return NormalDist().cdf(-t)
