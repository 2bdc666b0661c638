"""Which runs may be ranked and compared, and why others may not: one rule for all who ask.

The verdict, the charts, the medians of the tables and `kairos compare` go by it alike;
`docs/statistics.md` has the table of causes. Knows nothing of pages.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from kairos_lib.results.badges import (
    DUMMY,
    FAILED,
    NOT_RUN,
    OFFLOADED,
    OTHER_MACHINE,
    OUTSIDE,
    PARTIAL,
    RESUMED,
    SERVER,
    UNFINISHED,
    of_run,
)
from kairos_lib.results.step_runs import VlmRun
from kairos_lib.results.suite import SuiteData

WITHOUT_RESULT = {FAILED: "failed", NOT_RUN: "was not run", UNFINISHED: "is unfinished"}
SPOILT = {
    PARTIAL: "has scenes without a caption",
    RESUMED: "was interrupted and resumed",
}
"""What makes a time no statistic, not even of its own machine; the gravest first."""
ELSEWHERE = "was made on another machine than most of its suite"
NOT_RECOMMENDED = {
    DUMMY: "has captions that are noise",
    OUTSIDE: "has captions that mean nothing",
    SERVER: "was run by a server",
    OFFLOADED: "did not fit on the GPU whole",
}
"""Why a model whose times may be ranked and compared is not recommended for use here."""


def spoilt(run: VlmRun, suite: SuiteData) -> str:
    """Why a run's times are no statistic, even of its own machine; empty where they are."""
    worn = of_run(run, suite)
    result = run.result
    if result is None:
        told = next(told for badge, told in WITHOUT_RESULT.items() if badge in worn)
        known = run.outcome.reason not in ("", run.outcome.state)
        return f"{told} ({run.outcome.reason})" if known else told
    why = next((told for badge, told in SPOILT.items() if badge in worn), "")
    timed = result.offline.time_s > 0 and result.duration_s > 0
    return why or ("" if timed else "has no time")


def unfit(run: VlmRun, suite: SuiteData) -> str:
    """Why a run may be neither ranked nor compared; empty where it may.

    Args:
        run: Of a model over a video.
        suite: That the run is part of: its usual machine is the one that times are held against.

    Returns:
        What completes a sentence that begins with the run or its model: `failed (out of memory)`,
        `has scenes without a caption`.
    """
    why = spoilt(run, suite)
    return why or (ELSEWHERE if OTHER_MACHINE in of_run(run, suite) else "")


def unrecommended(run: VlmRun, suite: SuiteData) -> str:
    """Why a model is not recommended though its runs can be compared; empty where it can be."""
    worn = of_run(run, suite)
    return next((told for badge, told in NOT_RECOMMENDED.items() if badge in worn), "")


@dataclass(frozen=True)
class Fitness:
    """The rounds of a model over a video, divided by the one rule."""

    runs: tuple[VlmRun, ...]
    """Those that count."""
    left_out: tuple[tuple[VlmRun, str], ...]
    """The others, each with the reason."""
    elsewhere: tuple[VlmRun, ...]
    """Of the others those that lack nothing but that they are of another machine."""

    @property
    def why(self) -> str:
        """Why the model's time on the video may not be ranked; empty where it may."""
        return "" if self.runs else "; ".join(dict.fromkeys(told for _, told in self.left_out))


def divide(runs: Iterable[VlmRun], suite: SuiteData) -> Fitness:
    """Which of some runs may be ranked and compared."""
    told = [(run, unfit(run, suite)) for run in runs]
    return Fitness(
        runs=tuple(run for run, why in told if not why),
        left_out=tuple((run, why) for run, why in told if why),
        elsewhere=tuple(run for run, why in told if why and not spoilt(run, suite)),
    )
