"""Ranked models, and what the data show of their differences in time and memory."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from kairos_lib.results.comparability import unrecommended
from kairos_lib.results.ratios import ALIKE, Both, Kind, over_videos, peak, peaks
from kairos_lib.results.suite import SuiteData
from kairos_lib.results.summary import Pair
from kairos_lib.statistics.decision import Ratio
from kairos_lib.vlm.records import VlmResult

KEEPS_UP = 1.0
"""RTF at which processing takes as long as the video."""
UNDECIDED = {
    "too few rounds": "is not shown by so few rounds",
    "no difference shown": "is too close to call",
    "no difference worth naming": "is as good as the same",
    "lower": "depends on the video",
}


@dataclass(frozen=True)
class Runner:
    """One model that is ranked."""

    title: str
    pairs: tuple[Pair, ...]
    """With each ranked video; each pair has a run that counts."""
    handicap: str
    """Why it is not recommended, as the rest of a sentence about it; empty if it can be."""

    @classmethod
    def of(cls, pairs: Sequence[Pair], suite: SuiteData) -> Runner:
        """From a model's pairs."""
        reasons = [unrecommended(run, suite) for pair in pairs for run in pair.fitness.runs]
        return cls(pairs[0].model_title, tuple(pairs), next(filter(None, reasons), ""))

    @property
    def model(self) -> str:
        """Its name."""
        return self.pairs[0].model

    @property
    def rtf(self) -> float:
        """Sum of the median VLM times by sum of the lengths."""
        times_s = [pair.vlm_time_s for pair in self.pairs]
        return sum(t.value for t in times_s if t) / sum(p.length_s or 0.0 for p in self.pairs)

    @property
    def slowest(self) -> float:
        """The highest RTF of any video."""
        return max(rtf.value for pair in self.pairs if (rtf := pair.rtf))

    @property
    def keeps_up(self) -> bool:
        """Whether no video takes longer than its length, so that no queue builds up."""
        return self.slowest <= KEEPS_UP

    @property
    def results(self) -> list[VlmResult]:
        """Results of all runs that count."""
        return [run.result for pair in self.pairs for run in pair.fitness.runs if run.result]

    @property
    def memory_kind(self) -> Kind | None:
        """The kind of memory of its peaks; None unless all are known and of one kind."""
        kinds = {found[0] if (found := peak(result)) else None for result in self.results}
        return kinds.pop() if len(kinds) == 1 else None

    @property
    def memory_mib(self) -> float:
        """Median peak of the rounds, for the video that takes most."""
        return max(
            statistics.median(
                found[1]
                for run in pair.fitness.runs
                if run.result is not None and (found := peak(run.result)) is not None
            )
            for pair in self.pairs
        )


def times(a: VlmResult, b: VlmResult) -> Both:
    """Both runs' VLM times, in seconds."""
    return a.vlm_time_s, b.vlm_time_s


@dataclass(frozen=True)
class Lead:
    """Which model has the lowest value, and how the others compare with it."""

    first: Runner
    against: tuple[tuple[Runner, Ratio | None], ...]
    """The others, nearest first, each with its ratio to the first."""
    least: float
    """Differences below this share are not worth naming."""

    def shown(self, ratio: Ratio | None) -> str:
        """What the rounds show about another model; without a common round they are too few."""
        return ratio.beyond(self.least) if ratio is not None else "too few rounds"

    @property
    def open(self) -> list[tuple[Runner, Ratio | None]]:
        """Those not shown to take more."""
        return [(other, r) for other, r in self.against if self.shown(r) != "higher"]

    @property
    def undecided(self) -> str:
        """Why the first of those is not shown to take more."""
        return UNDECIDED[self.shown(self.open[0][1])]


def fastest(runners: Sequence[Runner]) -> Lead:
    """The model that takes the least time over all videos."""
    return _lead(runners, lambda runner: runner.rtf, times, 0.0)


def smallest(runners: Sequence[Runner]) -> Lead:
    """The model that takes the least memory; all must have the same kind of it."""
    return _lead(runners, lambda runner: runner.memory_mib, peaks, ALIKE)


def _lead(
    runners: Sequence[Runner],
    figure: Callable[[Runner], float],
    both: Callable[[VlmResult, VlmResult], Both | None],
    least: float,
) -> Lead:
    first, *others = sorted(runners, key=figure)
    return Lead(first, tuple((other, _ratio(first, other, both)) for other in others), least)


def _ratio(
    one: Runner, other: Runner, both: Callable[[VlmResult, VlmResult], Both | None]
) -> Ratio | None:
    """How many times as much the other takes, from the rounds of each video that both have."""
    each = []
    for ours, theirs in zip(one.pairs, other.pairs, strict=True):
        results = {run.planned.repeat: run.result for run in theirs.fitness.runs}
        figures = {}
        for run in ours.fitness.runs:
            against = results.get(run.planned.repeat)
            if run.result and against and (found := both(run.result, against)):
                figures[run.planned.repeat] = found
        each.append(figures)
    return over_videos(each)
