"""Chooses runs of a suite: which models and videos, and which run of each model is shown.

Does not know what is done with them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from kairos_lib.errors import KairosError
from kairos_lib.events.planned import PlannedEvents
from kairos_lib.parameters.loading import expand
from kairos_lib.publish import whole
from kairos_lib.results.step_runs import BaseRun, VlmRun
from kairos_lib.results.suite import SuiteData
from kairos_lib.results.summary import Pair, pairs
from kairos_lib.vlm.records import Caption


@dataclass(frozen=True)
class LeftOut:
    """Something that was chosen and has no result."""

    what: str
    why: str


@dataclass(frozen=True)
class Chosen:
    """The requested part of a suite."""

    pairs: list[Pair]
    bases: list[BaseRun]
    models: list[str]
    videos: list[str]


def choose(suite: SuiteData, models: tuple[str, ...], videos: tuple[str, ...]) -> Chosen:
    """The requested part of a suite.

    Args:
        suite: The runs.
        models: Names or patterns; all of the suite's if empty.
        videos: Likewise.

    Raises:
        KairosError: The suite has no such model or video.
    """
    plan = suite.manifest
    spotted = plan.of(PlannedEvents)
    named = [*(run.model for run in plan.runs), *(run.model for run in spotted)]
    known = list(dict.fromkeys(named))
    there = list(dict.fromkeys(step.video for step in (*plan.bases, *plan.runs, *spotted)))
    if models:
        known = expand(models, known, "model of this suite")
    if videos:
        there = expand(videos, there, "video of this suite")
    return Chosen(
        [pair for pair in pairs(suite) if pair.model in known and pair.video in there],
        [base for base in suite.bases if base.planned.video in there],
        known,
        there,
    )


def captioned(
    chosen: Chosen, video: str
) -> tuple[list[tuple[VlmRun, Mapping[int, Caption]]], list[LeftOut]]:
    """A run of each model on a video with its captions by scene, and the models that have none."""
    said: list[tuple[VlmRun, Mapping[int, Caption]]] = []
    left_out = []
    for pair in chosen.pairs:
        if pair.video != video:
            continue
        if pair.shown.result is None:
            left_out.append(LeftOut(label(pair), no_result(pair.shown)))
            continue
        try:
            said.append((pair.shown, whole.captions(pair.shown)))
        except KairosError as error:
            left_out.append(LeftOut(label(pair), str(error)))
    return said, left_out


def label(pair: Pair) -> str:
    """A model on a video, in words."""
    return f"{pair.model_title} on {pair.title}"


def no_result(run: VlmRun | BaseRun) -> str:
    """Why a run has no result."""
    outcome = run.outcome
    return f"{outcome.reason}: {outcome.message}" if outcome.message else outcome.reason
