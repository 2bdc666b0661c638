"""The tables of the report: built from a suite, rendered with every cell escaped."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from kairos_lib.records import ScenarioResult
from kairos_lib.report import formats
from kairos_lib.report.badges import RESUMED, pills
from kairos_lib.report.formats import MISSING
from kairos_lib.report.html import Html, render
from kairos_lib.report.suite import SuiteData
from kairos_lib.report.summary import Measure, Pair, pairs

Cell = str | Html


@dataclass(frozen=True)
class Column:
    """A column's heading; numbers are set flush right."""

    title: str
    number: bool = True
    explanation: str = ""
    wide: bool = False
    """Holds texts of several words, which must not be squeezed to one word a line."""


def table(title: str, columns: Iterable[Column], rows: Iterable[tuple[Cell, ...]]) -> Html | None:
    """A table that scrolls within its box; none where there are no rows."""
    listed = list(rows)
    return render("table", title=title, columns=list(columns), rows=listed) if listed else None


MODEL = Column("Model", number=False, wide=True)
VIDEO = Column("Video", number=False, wide=True)
NOTES = Column("Notes", number=False, wide=True)
STATUS = Column("Status", number=False, wide=True)
LENGTH = Column("Length")
SCENES = Column("Scenes")


def end_to_end(suite: SuiteData) -> Html | None:
    """Each model over each video, in the offline scenario."""
    columns = (
        MODEL,
        VIDEO,
        LENGTH,
        SCENES,
        Column("VLM time", explanation="Wall time from the first frame to the last caption"),
        Column("RTF", explanation="Real-time factor: VLM time by length; below 1x keeps up"),
        STATUS,
    )
    return table(
        "Offline scenario",
        columns,
        (
            (
                pair.model_title,
                pair.title,
                formats.length(pair.length_s) if pair.length_s else MISSING,
                f"{pair.scenes:,}" if pair.scenes is not None else MISSING,
                measured(pair.vlm_time_s, formats.work),
                measured(pair.rtf, formats.factor),
                _status(pair),
            )
            for pair in pairs(suite)
        ),
    )


def measured(measure: Measure | None, written: formats.Writer) -> Cell:
    """A number; beneath it its range and n, where it was measured more than once."""
    if measure is None:
        return MISSING
    if measure.n == 0:
        return render("measure", value=written(measure.value), note="resumed: no statistic")
    if measure.n == 1:
        return written(measure.value)
    note = f"{written(measure.low)}–{written(measure.high)}, n\u00a0=\u00a0{measure.n}"
    return render("measure", value=written(measure.value), note=note)


def _status(pair: Pair) -> Html:
    done = len(pair.results)
    if len(pair.runs) > 1:
        text = f"{done} of {len(pair.runs)} done"
    elif done:
        text = "done"
    elif captions := pair.runs[0].captions:
        text = f"{captions:,} of {pair.scenes:,}" if pair.scenes else f"{captions:,}"
        text += " captions"
    else:
        text = ""  # The badge says what happened; to say it twice helps nobody.
    without = max((result.offline.failed for result in pair.results), default=0)
    if without:
        text += f", {formats.count(without, 'scene')} without caption"
    return render("status", text=text, pills=pills(pair.badges))


OTHER = "Other"
PARTS = ("Frames", "Preprocess", "Prefill", "Decode", OTHER)


def parts_per_scene(scenario: ScenarioResult) -> tuple[float, ...]:
    """Seconds per scene of each of `PARTS`."""
    timing = scenario.timing
    scenes = max(scenario.scenes, 1)
    parts = (
        timing.frames_s, timing.preprocess_s, timing.prefill_s, timing.decode_s, timing.other_s,
    )  # fmt: skip
    return tuple(part / scenes for part in parts)


def seconds_per_scene(scenario: ScenarioResult) -> float | None:
    """Wall time by scenes."""
    return scenario.time_s / scenario.scenes if scenario.scenes else None


def decode_rate(scenario: ScenarioResult) -> float | None:
    """New tokens per second of decoding; a caption's first token belongs to prefill."""
    decoded = scenario.new_tokens - (scenario.scenes - scenario.failed)
    return decoded / scenario.timing.decode_s if scenario.timing.decode_s and decoded > 0 else None


def single_stream(suite: SuiteData) -> Html | None:
    """Each model over each video, one scene at a time."""
    # Prefill is the time to first token, which has its column.
    listed = [name for name in PARTS if name != "Prefill"]
    columns = (
        MODEL,
        VIDEO,
        Column("Scenes", explanation="Scenes in the sample"),
        Column("Per scene", explanation="Wall time per scene, nothing overlapped"),
        Column("TTFT", explanation="Time to first token: the same as prefill, mean per scene"),
        Column("New tokens/s", explanation="New tokens per second of decoding"),
        Column(
            "Other in a batch",
            explanation="Scenes of the sample whose caption is another one in the offline scenario",
        ),
        *(Column(name, explanation=f"{name}, mean per scene") for name in listed),
        NOTES,
    )

    def row(pair: Pair) -> tuple[Cell, ...]:
        def part(name: str) -> str:
            at = PARTS.index(name)
            return _median(
                pair.measure("single-stream", lambda s: parts_per_scene(s)[at]), formats.work
            )

        return (
            pair.model_title,
            pair.title,
            f"{pair.results[0].single_stream.scenes:,}",
            measured(pair.measure("single-stream", seconds_per_scene), formats.work),
            part("Prefill"),
            _median(pair.measure("single-stream", decode_rate), formats.rate),
            f"{max(result.batched_otherwise for result in pair.results):,}",
            *(part(name) for name in listed),
            pills(pair.badges),
        )

    measured_pairs = [pair for pair in pairs(suite) if pair.results]
    return table("Single-stream scenario", columns, map(row, measured_pairs))


def _median(measure: Measure | None, written: formats.Writer) -> str:
    return MISSING if measure is None else written(measure.value)


def memory(suite: SuiteData) -> Html | None:
    """Peaks over the repeats of each model and video."""
    columns = (
        MODEL,
        VIDEO,
        Column("Parameters", explanation="Size of the model"),
        Column("Peak RAM", explanation="Resident memory of the kernel and its children"),
        Column("Peak VRAM", explanation="Device memory of those processes, as NVML counts it"),
        Column("Batch", explanation="Largest batch of scenes that fitted, offline"),
        Column("Loading", explanation="Time to load the weights; not part of the VLM time"),
        NOTES,
    )

    def row(pair: Pair) -> tuple[Cell, ...]:
        resources = [result.resources for result in pair.results]
        vram_mib = [r.peak_vram_mib for r in resources if r.peak_vram_mib is not None]
        first = pair.results[0]
        return (
            pair.model_title,
            pair.title,
            parameters(first.parameters_millions),
            formats.memory(max(r.peak_ram_mib for r in resources))
            if any(r.samples for r in resources)
            else MISSING,
            formats.memory(max(vram_mib)) if vram_mib else f"{MISSING} no GPU",
            f"{first.offline.batch_size}",
            formats.work(first.load_s),
            pills(pair.badges),
        )

    return table("Peaks", columns, (row(pair) for pair in pairs(suite) if pair.results))


@formats.remembered
def parameters(millions: float) -> str:
    """The size of a model: `2.4 M`, `4.2 B`."""
    return f"{millions:.1f} M" if millions < 1000 else f"{millions / 1000:.1f} B"


def failures(suite: SuiteData) -> Html | None:
    """Every planned run without a result, and why; none where all went well."""
    columns = (
        Column("Run", number=False, wide=True), VIDEO, Column("Repeat"), Column("Captions kept"),
        Column("Reason", number=False), Column("Message", number=False, wide=True),
    )  # fmt: skip
    bases: list[tuple[Cell, ...]] = [
        (
            "Base processing", base.planned.title, MISSING, MISSING,
            base.outcome.reason, base.outcome.message,
        )
        for base in suite.bases
        if base.outcome.state != "done"
    ]  # fmt: skip
    runs: list[tuple[Cell, ...]] = [
        (
            run.planned.model_title, suite.video_title(run.planned.video), f"{run.planned.repeat}",
            f"{run.captions:,}", run.outcome.reason, run.outcome.message,
        )
        for run in suite.runs
        if run.outcome.state != "done"
    ]  # fmt: skip
    return table("Runs without a result", columns, [*bases, *runs])


def resumed(pair: Pair) -> bool:
    """Whether a pair's time is of resumed runs alone."""
    time_s = pair.vlm_time_s
    return RESUMED in pair.badges and time_s is not None and time_s.n == 0
