"""Which runs may be ranked and compared, and why others may not: one rule used everywhere.

The verdict, the charts, the medians of the tables and `kairos compare` all use it;
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
UNUSABLE = {
    PARTIAL: "has scenes without a caption",
    RESUMED: "was interrupted and resumed",
}
"""Why a run's time is left out of all statistics, even on its own machine; most serious first."""
ELSEWHERE = "was made on another machine than most of its suite"
NOT_RECOMMENDED = {
    DUMMY: "has captions that are noise",
    OUTSIDE: "has captions that mean nothing",
    SERVER: "was run by a server",
    OFFLOADED: "did not fit on the GPU as a whole",
}
"""Why a model is not recommended here although its times may be ranked and compared."""


def unusable(run: VlmRun, suite: SuiteData) -> str:
    """Why a run's times are no statistic, even of its own machine; empty where they are."""
    worn = of_run(run, suite)
    result = run.result
    if result is None:
        phrase = next(phrase for badge, phrase in WITHOUT_RESULT.items() if badge in worn)
        known = run.outcome.reason not in ("", run.outcome.state)
        return f"{phrase} ({run.outcome.reason})" if known else phrase
    why = next((phrase for badge, phrase in UNUSABLE.items() if badge in worn), "")
    timed = result.offline.time_s > 0 and result.duration_s > 0
    return why or ("" if timed else "has no time")


def unfit(run: VlmRun, suite: SuiteData) -> str:
    """Why a run may be neither ranked nor compared; empty if it may.

    Args:
        run: Of a model on a video.
        suite: The suite that the run is part of: its usual machine is the one times are compared
        on.

    Returns:
        Text that completes a sentence about the run or its model: `failed (out of memory)`,
        `has scenes without a caption`.
    """
    why = unusable(run, suite)
    return why or (ELSEWHERE if OTHER_MACHINE in of_run(run, suite) else "")


def unrecommended(run: VlmRun, suite: SuiteData) -> str:
    """Why a model is not recommended although its runs can be compared; empty if it is."""
    worn = of_run(run, suite)
    return next((phrase for badge, phrase in NOT_RECOMMENDED.items() if badge in worn), "")


@dataclass(frozen=True)
class Fitness:
    """The rounds of a model on a video, split by that rule."""

    runs: tuple[VlmRun, ...]
    """Runs that count."""
    left_out: tuple[tuple[VlmRun, str], ...]
    """The other runs, each with the reason."""
    elsewhere: tuple[VlmRun, ...]
    """Those of the others whose only defect is that they were made on another machine."""

    @property
    def why(self) -> str:
        """Why the model's time on the video may not be ranked; empty if it may."""
        return "" if self.runs else "; ".join(dict.fromkeys(phrase for _, phrase in self.left_out))


def divide(runs: Iterable[VlmRun], suite: SuiteData) -> Fitness:
    """Split runs into those that may be ranked and compared, and the others."""
    judged = [(run, unfit(run, suite)) for run in runs]
    return Fitness(
        runs=tuple(run for run, why in judged if not why),
        left_out=tuple((run, why) for run, why in judged if why),
        elsewhere=tuple(run for run, why in judged if why and not unusable(run, suite)),
    )
