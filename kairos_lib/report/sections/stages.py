"""Base processing: where its time went, and which stages did not run."""

from __future__ import annotations

from kairos_lib import formats
from kairos_lib.formats import MISSING
from kairos_lib.measure.usage import Resources
from kairos_lib.parameters.published_figures import PublishedStages
from kairos_lib.pipeline.records import BaseResult, StageReport
from kairos_lib.report.page.html import Html, joined, render
from kairos_lib.report.sections.badges import pills
from kairos_lib.report.sections.tables import LENGTH, SCENES, STATUS, VIDEO, Cell, Column, table
from kairos_lib.results.badges import of_base
from kairos_lib.results.other_machines import references, stages_of
from kairos_lib.results.step_runs import FRAMES, BaseRun, frames_s
from kairos_lib.results.suite import SuiteData


def stage_names(suite: SuiteData) -> list[str]:
    """Every stage that any video's base processing reached, in order."""
    names = (stage.name for base in suite.bases for stage in base.stages)
    return [name for name in dict.fromkeys(names) if name != FRAMES]


def stage_title(name: str) -> str:
    """A stage's name as a heading: `Speech`, `VAD`, `Camera motion`."""
    return name.upper() if name == "vad" else name.replace("_", " ").capitalize()


def stages(suite: SuiteData) -> Html | None:
    """Where the time of base processing went, and which stages did not run."""
    names = stage_names(suite)
    columns = (
        VIDEO,
        LENGTH,
        SCENES,
        Column(
            "Frames",
            explanation="The single pass over the video, shared by all stages that read it",
        ),
        *(Column(stage_title(name)) for name in names),
        Column("Sum", explanation="Of the frames and all stages; shares are relative to it"),
        Column(
            "Total",
            explanation="Wall time of what ran here: stages overlap, so it is less than their sum",
        ),
        STATUS,
    )

    def row(base: BaseRun) -> tuple[Cell, ...]:
        result = base.result
        by_name = {stage.name: stage for stage in base.stages}
        decode_s = frames_s(base)
        sum_s = _sum_s(base)
        badges = of_base(base, suite)
        text = "done" if base.outcome.state == "done" else ""
        return (
            base.planned.title,
            formats.length(result.facts.duration_s) if result else MISSING,
            f"{result.scenes:,}" if result else MISSING,
            MISSING if decode_s is None else _shared(decode_s, sum_s),
            *(_stage(by_name.get(name), sum_s) for name in names),
            MISSING if sum_s is None else formats.work(sum_s),
            _total(result) if result else MISSING,
            render("status", text=text, pills=pills(badges)),
        )

    listed = table("Time of each stage, and its share of their sum", columns, map(row, suite.bases))
    if listed is None:
        return None
    return joined(listed, *_published(suite), _took(suite), _missing_stages(suite), _damage(suite))


def _sum_s(base: BaseRun) -> float | None:
    """The time of all stages together; None if some of them are missing."""
    if base.result is None:
        return None
    done = [stage.time_s for stage in base.stages if stage.state == "done"]
    return base.result.decode_s + sum(done)


def _total(result: BaseResult) -> Cell:
    """The wall time, and which stages it does not include."""
    taken_over = sum(stage.reused for stage in result.stages)
    if taken_over:
        note = f"without {formats.count(taken_over, 'stage')} taken over"
    elif result.resumed:
        note = "since it was resumed"
    else:
        return formats.work(result.total_s)
    return render("measure", value=formats.work(result.total_s), note=note)


def _stage(report: StageReport | None, sum_s: float | None) -> Cell:
    if report is None:
        return MISSING
    return _shared(report.time_s, sum_s) if report.state == "done" else report.state


def _shared(time_s: float, sum_s: float | None) -> Cell:
    """A time with its share of the sum."""
    if not sum_s:
        return formats.work(time_s)
    return render("measure", value=formats.work(time_s), note=formats.share(time_s / sum_s))


def _published(suite: SuiteData) -> list[Html]:
    """What was published of the same videos on another machine."""
    columns = (
        VIDEO, LENGTH, Column("Speech"), Column("Sounds"), Column("Objects"),
        Column("Other", explanation="The total less the three"),
        Column("Total", explanation="As published, with shares of it"),
    )  # fmt: skip

    def row(title: str, found: PublishedStages) -> tuple[Cell, ...]:
        named = (found.speech_min, found.sounds_min, found.objects_min)
        other = max(0.0, found.total_min - sum(named))
        parts = (_shared(part * 60, found.total_min * 60) for part in (*named, other))
        return (title, formats.length(found.length_s), *parts, formats.work(found.total_min * 60))

    tables = [
        table(
            f"{reference.title}: the same videos on another machine",
            columns,
            [row(title, found) for title, found in stages_of(suite, reference)],
        )
        for reference in references(suite.project)
    ]
    return [made for made in tables if made is not None]


def _took(suite: SuiteData) -> Html | None:
    """Resources that the kernel used while each stage was running."""
    columns = (
        VIDEO, Column("Stage", number=False), Column("Loading"), Column("Work"),
        Column("Peak RAM", explanation="Of the whole kernel: stages that run at once share it"),
        Column("Peak VRAM"), Column("CPU cores"), Column("GPU busy"), Column("Batch"),
        Column("Records"),
    )  # fmt: skip

    def row(base: BaseRun, stage: StageReport) -> tuple[Cell, ...]:
        used = stage.resources or Resources()
        vram_mib, gpu = used.peak_vram_mib, used.mean_gpu_percent
        return (
            base.planned.title,
            stage_title(stage.name) + (" (taken over)" if stage.reused else ""),
            formats.work(stage.load_s),
            formats.work(stage.time_s),
            formats.memory(used.peak_ram_mib) if used.samples else MISSING,
            MISSING if vram_mib is None else formats.memory(vram_mib),
            f"{used.mean_cpu_cores:.1f}" if used.samples > 1 else MISSING,
            MISSING if gpu is None else f"{gpu:.0f} %",
            f"{stage.batch_size}" if stage.batch_size else MISSING,
            f"{stage.records:,}",
        )

    return table(
        "What each stage took",
        columns,
        (
            row(base, stage)
            for base in suite.bases
            for stage in base.stages
            if stage.state == "done"
        ),
    )


def _damage(suite: SuiteData) -> Html | None:
    """Defects of video files that could still be read."""
    return table(
        "What is wrong with the files",
        (VIDEO, Column("What", number=False, wide=True)),
        (
            (base.planned.title, problem)
            for base in suite.bases
            if base.result is not None
            for problem in base.result.facts.problems
        ),
    )


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
