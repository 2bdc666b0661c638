"""Base processing: where its time went, and which stages did not run."""

from __future__ import annotations

from kairos_lib.records import StageReport
from kairos_lib.report import formats
from kairos_lib.report.badges import of_base, pills
from kairos_lib.report.formats import MISSING
from kairos_lib.report.html import Html, joined, render
from kairos_lib.report.suite import BaseRun, SuiteData
from kairos_lib.report.tables import LENGTH, SCENES, STATUS, VIDEO, Cell, Column, table

FRAMES = "frames"
"""The shared decoding pass; a failed run reports it as if it were a stage."""


def stage_names(suite: SuiteData) -> list[str]:
    """Every stage that any video's base processing came to, in order."""
    names = (stage.name for base in suite.bases for stage in base.stages)
    return [name for name in dict.fromkeys(names) if name != FRAMES]


def stage_title(name: str) -> str:
    """A stage's name as a heading: `Speech`, `VAD`, `Camera motion`."""
    return name.upper() if name == "vad" else name.replace("_", " ").capitalize()


def frames_s(base: BaseRun) -> float | None:
    """Time of the decoding pass that all stages share."""
    if base.result is not None:
        return base.result.decode_s
    return next((stage.time_s for stage in base.stages if stage.name == FRAMES), None)


def stages(suite: SuiteData) -> Html | None:
    """Where the time of base processing went, and which stages did not run."""
    names = stage_names(suite)
    columns = (
        VIDEO,
        LENGTH,
        SCENES,
        Column("Frames", explanation="Decoding and scaling, shared by all that look at frames"),
        *(Column(stage_title(name)) for name in names),
        Column("Total"),
        STATUS,
    )

    def row(base: BaseRun) -> tuple[Cell, ...]:
        result = base.result
        by_name = {stage.name: stage for stage in base.stages}
        decode_s = frames_s(base)
        badges = of_base(base, suite)
        text = "done" if base.outcome.state == "done" else ""
        return (
            base.planned.title,
            formats.length(result.facts.duration_s) if result else MISSING,
            f"{result.scenes:,}" if result else MISSING,
            MISSING if decode_s is None else formats.work(decode_s),
            *(_stage(by_name.get(name)) for name in names),
            formats.work(result.total_s) if result else MISSING,
            render("status", text=text, pills=pills(badges)),
        )

    listed = table("Time of each stage", columns, map(row, suite.bases))
    return joined(listed, _missing_stages(suite)) if listed else None


def _stage(report: StageReport | None) -> str:
    if report is None:
        return MISSING
    return formats.work(report.time_s) if report.state == "done" else report.state


def _missing_stages(suite: SuiteData) -> Html | None:
    columns = (VIDEO, Column("Stage", number=False), Column("What", number=False),
               Column("Why", number=False, wide=True))  # fmt: skip
    return table(
        "Stages that did not run",
        columns,
        (
            (base.planned.title, stage.name, stage.state, stage.reason)
            for base in suite.bases
            for stage in base.stages
            if stage.state != "done"
        ),
    )
