"""Published figures from another machine, for the suite's own models and videos."""

from __future__ import annotations

from kairos_lib.parameters.loading import load, names
from kairos_lib.parameters.published_figures import PublishedFigures, PublishedRun, PublishedStages
from kairos_lib.project import Project
from kairos_lib.results.suite import SuiteData
from kairos_lib.results.summary import pairs

SAME_LENGTH_S = 1.5
"""Lengths are published in whole seconds; a video of another length is a different one."""


def references(project: Project) -> list[PublishedFigures]:
    """All reference files in `parameters/reference`.

    Raises:
        KairosError: One of them is wrong.
    """
    return [load(project, PublishedFigures, name) for name in names(project, PublishedFigures)]


def matching(suite: SuiteData) -> dict[PublishedFigures, dict[tuple[str, str], PublishedRun]]:
    """Published runs of a suite's models and videos, by their names.

    References that cover none of them are left out.
    """
    lengths_s = {(pair.model, pair.video): pair.length_s for pair in pairs(suite)}
    found = {
        reference: {
            (run.model, run.video): run
            for run in reference.runs
            if _same(lengths_s.get((run.model, run.video)), run.length_s)
        }
        for reference in references(suite.project)
    }
    return {reference: runs for reference, runs in found.items() if runs}


def stages_of(suite: SuiteData, reference: PublishedFigures) -> list[tuple[str, PublishedStages]]:
    """Published base processing of a suite's videos, each with the video's title."""
    lengths_s = {
        base.planned.video: base.result.facts.duration_s for base in suite.bases if base.result
    }
    return [
        (suite.video_title(stages.video), stages)
        for stages in reference.stages
        if _same(lengths_s.get(stages.video), stages.length_s)
    ]


def _same(length_s: float | None, published_s: float) -> bool:
    return length_s is not None and abs(length_s - published_s) <= SAME_LENGTH_S
