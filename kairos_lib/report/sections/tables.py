"""The tables of the report: built from a suite, rendered with every cell escaped."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from kairos_lib import formats
from kairos_lib.formats import MISSING
from kairos_lib.parameters.published_figures import PublishedRun
from kairos_lib.report.page.html import Html, render
from kairos_lib.report.sections.badges import pills
from kairos_lib.results import memory_peaks, rates
from kairos_lib.results.other_machines import matching
from kairos_lib.results.suite import SuiteData
from kairos_lib.results.summary import Measure, Pair, Scenario, pairs

Cell = str | Html


@dataclass(frozen=True)
class Column:
    """A column's heading; numbers are right-aligned."""

    title: str
    number: bool = True
    explanation: str = ""
    wide: bool = False
    """Holds texts of several words, which must not be squeezed to one word a line."""


def table(title: str, columns: Iterable[Column], rows: Iterable[tuple[Cell, ...]]) -> Html | None:
    """A table that scrolls within its box; None if there are no rows."""
    listed = list(rows)
    return render("table", title=title, columns=list(columns), rows=listed) if listed else None


MODEL = Column("Model", number=False, wide=True)
VIDEO = Column("Video", number=False, wide=True)
NOTES = Column("Notes", number=False, wide=True)
STATUS = Column("Status", number=False, wide=True)
LENGTH = Column("Length")
SCENES = Column("Scenes")


def end_to_end(suite: SuiteData) -> Html | None:
    """Each model on each video: how fast in both scenarios, and at what price."""
    published = matching(suite)
    price = suite.manifest.price_per_hour
    columns = [
        MODEL,
        VIDEO,
        LENGTH,
        SCENES,
        Column("VLM time", explanation="Wall time from the first frame to the last caption"),
        Column("RTF", explanation="Real-time factor: VLM time by length; below 1x keeps up"),
        Column(
            "RTF, one at a time",
            explanation="Single-stream: mean seconds per scene by the mean length of a scene",
        ),
        *(
            Column(
                reference.title,
                explanation=f"RTF on another machine ({reference.machine}; {reference.software}), "
                f"from {reference.source}: {reference.conditions}",
            )
            for reference in published
        ),
    ]
    if price is not None:
        columns.append(
            Column(
                f"{suite.manifest.currency} per video hour",
                explanation=f"RTF by the machine's price of {formats.price(price)} an hour",
            )
        )
    return table(
        "Each model on each video",
        [*columns, STATUS],
        (
            (
                pair.model_title,
                pair.title,
                formats.length(pair.length_s) if pair.length_s else MISSING,
                f"{pair.scenes:,}" if pair.scenes is not None else MISSING,
                measured(pair.vlm_time_s, formats.work),
                measured(pair.rtf, formats.factor),
                measured(pair.single_stream_rtf, formats.factor, _sample(pair)),
                *(_published(found.get((pair.model, pair.video))) for found in published.values()),
                *([] if price is None else [_cost(pair, price)]),
                _status(pair),
            )
            for pair in pairs(suite)
        ),
    )


def _sample(pair: Pair) -> str:
    """How many scenes a single-stream figure covers, if not all."""
    scenes = max((result.single_stream.scenes for result in pair.results), default=0)
    return f"from {formats.count(scenes, 'scene')}" if scenes < (pair.scenes or 0) else ""


def _published(run: PublishedRun | None) -> Cell:
    if run is None:
        return MISSING
    note = f"another machine, {run.scenes} scenes"
    return render("measure", value=formats.factor(run.rtf), note=note)


def _cost(pair: Pair, price_per_hour: float) -> Cell:
    """Empty for a server: the machine's price does not apply to it."""
    if any(result.weights_source == "server" for result in pair.results):
        return MISSING
    return measured(pair.cost(price_per_hour), formats.price)


def measured(measure: Measure | None, written: formats.Writer, note: str = "") -> Cell:
    """A number, with a note and, if it was measured more than once, its range and n beneath it."""
    if measure is None:
        return MISSING
    notes = [note] if note else []
    if measure.n == 0:
        notes.insert(0, "no statistic")
    elif measure.n > 1:
        spread = f"{written(measure.low)}–{written(measure.high)}, n\u00a0=\u00a0{measure.n}"
        notes.insert(0, spread)
    cell: Cell = written(measure.value)
    for line in notes:
        cell = render("measure", value=cell, note=line)
    return cell


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
        text = ""  # The badge says what happened; no need to repeat it.
    without = max((result.offline.failed for result in pair.results), default=0)
    if without:
        text += f", {formats.count(without, 'scene')} without caption"
    return render("status", text=text, pills=pills(pair.badges))


def single_stream(suite: SuiteData) -> Html | None:
    """Each model on each video, one scene at a time."""
    columns = (
        MODEL,
        VIDEO,
        Column("Scenes", explanation="Scenes in the sample"),
        Column("Per scene", explanation="Wall time per scene, nothing overlapped"),
        Column("TTFT", explanation="Time to first token: the same as prefill, mean per scene"),
        Column("Prompt tokens/s", explanation="Prompt tokens per second of prefill"),
        Column("New tokens/s", explanation="New tokens per second of decoding"),
        Column(
            "Other in a batch",
            explanation="Scenes of the sample whose caption differs from the offline scenario",
        ),
        # Prefill is the same as time to first token, which has its column.
        *_parts_columns(without="Prefill"),
        NOTES,
    )

    def row(pair: Pair) -> tuple[Cell, ...]:
        return (
            pair.model_title,
            pair.title,
            f"{pair.results[0].single_stream.scenes:,}",
            measured(pair.measure("single-stream", rates.seconds_per_scene), formats.work),
            _median(pair.measure("single-stream", rates.prefill_s), formats.work),
            _median(pair.measure("single-stream", rates.prefill_rate), formats.rate),
            _median(pair.measure("single-stream", rates.decode_rate), formats.rate),
            f"{max(result.batched_otherwise for result in pair.results):,}",
            *_parts(pair, "single-stream", without="Prefill"),
            pills(pair.badges),
        )

    measured_pairs = [pair for pair in pairs(suite) if pair.results]
    return table("Single-stream scenario", columns, map(row, measured_pairs))


def offline(suite: SuiteData) -> Html | None:
    """Each model on each video, in batches: work per scene, and wall time."""
    columns = (
        MODEL,
        VIDEO,
        SCENES,
        Column("Batch", explanation="Largest batch of scenes that fitted"),
        Column("Per scene", explanation="Wall time per scene; preparing overlaps with generating"),
        Column("New tokens/s", explanation="New tokens of all captions per second of wall time"),
        *_parts_columns(),
        NOTES,
    )

    def row(pair: Pair) -> tuple[Cell, ...]:
        first = pair.results[0].offline
        return (
            pair.model_title,
            pair.title,
            f"{first.scenes:,}",
            f"{first.batch_size}",
            measured(pair.measure("offline", rates.seconds_per_scene), formats.work),
            _median(pair.measure("offline", rates.throughput), formats.rate),
            *_parts(pair, "offline"),
            pills(pair.badges),
        )

    measured_pairs = [pair for pair in pairs(suite) if pair.results]
    return table("Offline scenario", columns, map(row, measured_pairs))


def _parts_columns(without: str = "") -> list[Column]:
    return [
        Column(name, explanation=f"{name}, mean work per scene")
        for name in rates.PARTS
        if name != without
    ]


def _parts(pair: Pair, scenario: Scenario, without: str = "") -> list[Cell]:
    def part(at: int) -> str:
        return _median(
            pair.measure(scenario, lambda one: rates.parts_per_scene(one)[at]), formats.work
        )

    return [part(at) for at, name in enumerate(rates.PARTS) if name != without]


def _median(measure: Measure | None, written: formats.Writer) -> str:
    return MISSING if measure is None else written(measure.value)


def memory(suite: SuiteData) -> Html | None:
    """Peaks over the repeats of each model and video, each compared with the machine's memory."""
    shown = [pair for pair in pairs(suite) if pair.results]
    on_gpus = [
        (Column(peak.title, explanation=peak.explanation), peak)
        for peak in memory_peaks.ON_GPUS
        if any(peak.of(result.resources) for pair in shown for result in pair.results)
    ]
    columns = (
        MODEL,
        VIDEO,
        Column("Parameters", explanation="Size of the model"),
        Column(memory_peaks.RAM.title, explanation=memory_peaks.RAM.explanation),
        Column(memory_peaks.VRAM.title, explanation=memory_peaks.VRAM.explanation),
        *(column for column, _ in on_gpus),
        Column("Batch", explanation="Largest batch of scenes that fitted, offline"),
        Column("Loading", explanation="Time to load the weights; not part of the VLM time"),
        NOTES,
    )

    def row(pair: Pair) -> tuple[Cell, ...]:
        first = pair.results[0]
        return (
            pair.model_title,
            pair.title,
            parameters(first.parameters_millions),
            memory_peaks.highest(pair, memory_peaks.RAM),
            memory_peaks.highest(pair, memory_peaks.VRAM, f"{MISSING} no GPU"),
            *(memory_peaks.highest(pair, peak) for _, peak in on_gpus),
            f"{first.offline.batch_size}",
            formats.work(first.load_s),
            pills(pair.badges),
        )

    return table("Peaks", columns, map(row, shown))


@formats.remembered
def parameters(millions: float) -> str:
    """The size of a model: `2.4 M`, `4.2 B`."""
    return f"{millions:.1f} M" if millions < 1000 else f"{millions / 1000:.1f} B"


def failures(suite: SuiteData) -> Html | None:
    """Every planned run without a result, and why; None if all went well."""
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
    further: list[tuple[Cell, ...]] = [
        (
            step.planned.in_words or step.planned.kind, suite.video_title(step.planned.video),
            MISSING, MISSING, step.outcome.reason, step.outcome.message,
        )
        for step in suite.further
        if step.outcome.state != "done"
    ]  # fmt: skip
    return table("Runs without a result", columns, [*bases, *runs, *further])
