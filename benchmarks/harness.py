"""Times contenders side by side, and only where their results agree.

Knows nothing of videos or models. All contenders run in one process, one after another in every
round (A B A B), so that a drift of the machine falls on all alike. Results are compared after
every round and before any time is told: a fast wrong answer has no time.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Generic, TypeVar

from benchmarks.load import ForeignLoad
from kairos_lib.errors import KairosError

Result = TypeVar("Result")

LEAST_ROUNDS = 5
"""Fewer are a trial, and the table says so."""
BUSY_CORES = 0.25
"""A round during which others kept more than this busy is marked."""


class DisagreementError(KairosError):
    """Two contenders came to different results, so none of their times means anything."""


@dataclass(frozen=True)
class Contender(Generic[Result]):
    """One way of doing the work."""

    name: str
    run: Callable[[], Result]
    prepare: Callable[[], None] = lambda: None
    """Clears away what the last round left; its time does not count."""


@dataclass(frozen=True)
class Trial(Generic[Result]):
    """One contender's turn in one round."""

    time_s: float
    foreign_cores: float
    """Mean number of cores that other processes kept busy meanwhile."""
    result: Result


@dataclass(frozen=True)
class Spread:
    """Several measurements of one thing."""

    values: tuple[float, ...]

    @property
    def median(self) -> float:
        """The middle one."""
        return statistics.median(self.values)

    def told(self, digits: int = 2) -> str:
        """Median and range, as the tables have it."""
        low, high = min(self.values), max(self.values)
        return f"{self.median:.{digits}f} [{low:.{digits}f} – {high:.{digits}f}]"


def wall_time_s(trial: Trial[Result]) -> float:
    """What is measured unless another thing is asked for."""
    return trial.time_s


@dataclass(frozen=True)
class Comparison(Generic[Result]):
    """What every contender took in every round."""

    trials: Mapping[str, tuple[Trial[Result], ...]]

    @property
    def rounds(self) -> int:
        """How many there were."""
        return min(len(trials) for trials in self.trials.values())

    def spread(self, name: str, measure: Callable[[Trial[Result]], float] = wall_time_s) -> Spread:
        """A contender's figures over all rounds."""
        return Spread(tuple(measure(trial) for trial in self.trials[name]))

    def ratio(
        self, name: str, to: str, measure: Callable[[Trial[Result]], float] = wall_time_s
    ) -> float:
        """Ratio of two contenders' medians."""
        return self.spread(name, measure).median / self.spread(to, measure).median

    def round_ratios(
        self, name: str, to: str, measure: Callable[[Trial[Result]], float] = wall_time_s
    ) -> Spread:
        """Ratios within each round, in which the machine was the same for both."""
        return Spread(
            tuple(
                measure(one) / measure(other)
                for one, other in zip(self.trials[name], self.trials[to], strict=True)
            )
        )

    def disturbed(self, name: str) -> int:
        """Rounds of a contender in which others kept the machine busy."""
        return sum(trial.foreign_cores > BUSY_CORES for trial in self.trials[name])


def compete(
    contenders: list[Contender[Result]],
    rounds: int,
    agree: Callable[[Mapping[str, Result]], None],
    say: Callable[[str], None] = lambda line: None,
    warm_up: bool = True,
) -> Comparison[Result]:
    """Let all contenders do the work in turn, round after round.

    Args:
        contenders: In the order in which they run in every round.
        rounds: How many are timed.
        agree: Raises `DisagreementError` where the results of a round, by name, differ.
        say: Is told how far it is, never a time.
        warm_up: Whether a round goes before that is not timed: it fills the file cache, imports
            libraries, and is checked like any other.

    Raises:
        DisagreementError: The results of a round differ; no time is told.
    """
    trials: dict[str, list[Trial[Result]]] = {contender.name: [] for contender in contenders}
    if len(trials) != len(contenders):
        raise ValueError("two contenders have one name")
    for number in range(0 if warm_up else 1, rounds + 1):
        say(f"round {number} of {rounds}" if number else "a round to warm up and compare results")
        results: dict[str, Result] = {}
        for contender in contenders:
            say(f"  {contender.name}")
            trial = _timed(contender)
            results[contender.name] = trial.result
            if number:
                trials[contender.name].append(trial)
        agree(results)
    return Comparison({name: tuple(done) for name, done in trials.items()})


def _timed(contender: Contender[Result]) -> Trial[Result]:
    contender.prepare()
    load = ForeignLoad()
    started = time.perf_counter()
    result = contender.run()
    time_s = time.perf_counter() - started
    return Trial(time_s, load.cores(), result)


def all_equal(results: Mapping[str, Result]) -> None:
    """The plainest agreement: all results are the same.

    Raises:
        DisagreementError: Two are not; the line names them.
    """
    for (one, found), (other, also) in pairwise(results.items()):
        if found != also:
            raise DisagreementError(f"{one} and {other} came to different results")
