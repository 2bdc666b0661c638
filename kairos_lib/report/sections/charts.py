"""Charts as inline SVG that uses the page's colours."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from kairos_lib import formats
from kairos_lib.pipeline.records import BaseResult
from kairos_lib.report.page import svg
from kairos_lib.report.page.html import Html
from kairos_lib.report.sections.stages import stage_names, stage_title
from kairos_lib.results import rates
from kairos_lib.results.badges import Badge, of_base, ordered
from kairos_lib.results.rates import OTHER, PARTS, parts_per_scene
from kairos_lib.results.step_runs import FRAMES
from kairos_lib.results.suite import SuiteData
from kairos_lib.results.summary import Pair, Scenario, pairs

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LABEL_CHARACTERS = 34
NOTE_CHARACTERS = 46
WIDTH_IN = 8.6
ROW_IN = 0.46
FRAME_IN = 0.6
"""Height of everything except the rows: the axis and its label."""
BAR_BELOW = 0.2
"""How far bars are below their row's middle, as a share of the row; labels go above them."""
BAR_HEIGHT = 0.38
LANE_IN = 0.11
"""Height of one stage's lane in the chart of base processing."""
ROOM = 1.12
"""Length of the axis relative to the longest bar, whose number is written behind it."""


def rtf(suite: SuiteData) -> Html | None:
    """A bar for each model and video, faint if it cannot be compared with the others.

    A mark shows where processing takes as long as the video.
    """
    shown = [(pair, measure) for pair in pairs(suite) if (measure := pair.rtf) is not None]
    if not shown:
        return None
    with svg.canvas(WIDTH_IN, ROW_IN * len(shown) + FRAME_IN + 0.15) as (figure, axes):
        for row, (pair, measure) in enumerate(shown):
            middle = row + BAR_BELOW
            colour = svg.SERIES[1] if measure.value > 1 else svg.SERIES[0]
            faint = 0.4 if pair.fitness.why else 1.0
            axes.barh(middle, measure.value, height=BAR_HEIGHT, color=colour, alpha=faint)
            if measure.n > 1:
                axes.plot([measure.low, measure.high], [middle] * 2, color=svg.INK, linewidth=1.2)
            # Not one line from top to bottom: it would cross the labels.
            axes.plot(
                [1, 1], [middle - 0.22, middle + 0.28], color=svg.INK, linewidth=1.1, zorder=1.5
            )
            _number(axes, formats.factor(measure.value), measure.high, row)
        axes.annotate(
            "1x, real time", (1, -0.72), va="center", ha="center", color=svg.INK, fontsize=7.5
        )
        _rows(axes, [(_label(pair), _note(pair)) for pair, _ in shown], top=-1.0)
        axes.set_xlim(0, max(1.0, *(measure.high for _, measure in shown)) * ROOM)
        axes.set_xlabel("Real-time factor: VLM time divided by the length of the video")
        values = "; ".join(
            f"{pair.model_title} on {pair.title} {formats.factor(measure.value)}"
            for pair, measure in shown
        )
        return svg.inline(
            figure,
            name="rtf",
            title="Real-time factor of each model and video",
            description=f"Below 1x keeps up with the video. {values}.",
        )


def single_stream(suite: SuiteData) -> Html | None:
    """Where the time of one scene goes."""
    return _parts(
        suite,
        "single-stream",
        axis="Seconds per scene, one scene at a time",
        title="Where the time of one scene goes, for each model and video",
    )


def offline(suite: SuiteData) -> Html | None:
    """How the work of one scene is divided in batches, and how long it takes by the clock."""
    return _parts(
        suite,
        "offline",
        axis="Seconds of work per scene, in batches; the mark is the time by the clock",
        title="Where the work of one scene goes in batches, for each model and video",
        by_the_clock=True,
    )


def _parts(
    suite: SuiteData, scenario: Scenario, axis: str, title: str, by_the_clock: bool = False
) -> Html | None:
    """A stacked bar for each model and video."""
    labels = []
    parts = []
    marks = []
    for pair in pairs(suite):
        measures = [
            pair.measure(scenario, lambda s, part=part: parts_per_scene(s)[part])  # type: ignore[misc]
            for part in range(len(PARTS))
        ]
        wall = pair.measure(scenario, rates.seconds_per_scene)
        if any(measures) and wall is not None:
            labels.append((_label(pair), _note(pair)))
            parts.append([measure.value if measure else 0.0 for measure in measures])
            marks.append(wall.value)
    return _stacked(
        labels,
        parts,
        PARTS,
        name=scenario,
        axis=axis,
        title=title,
        marks=marks if by_the_clock else (),
    )


def stages(suite: SuiteData) -> Html | None:
    """When each stage of base processing was running; stages that ran at once are side by side."""
    shown = [base for base in suite.bases if base.result is not None]
    names = [FRAMES, *stage_names(suite)]
    lanes = len(names) * LANE_IN
    if not shown:
        return None
    lines = []
    with svg.canvas(WIDTH_IN, (ROW_IN + lanes) * len(shown) + FRAME_IN + 0.3) as (figure, axes):
        height = lanes / (ROW_IN + lanes) / len(names)
        longest_s = 0.0
        for row, base in enumerate(shown):
            assert base.result is not None
            for lane, (name, began_s, ended_s) in enumerate(_spans(base.result, names)):
                colour = svg.GREY if name == FRAMES else svg.SERIES[(lane - 1) % len(svg.SERIES)]
                axes.barh(
                    row - 0.2 + (lane + 0.5) * height, ended_s - began_s, left=began_s,
                    height=0.8 * height, color=colour,
                    label=stage_title(name) if row == 0 else None,
                )  # fmt: skip
                longest_s = max(longest_s, ended_s)
                lines.append(f"{base.planned.title}, {name}: {began_s:.1f} to {ended_s:.1f} s")
        labels = [
            (
                formats.shortened(base.planned.title, LABEL_CHARACTERS),
                _listed(of_base(base, suite)),
            )
            for base in shown
        ]
        _rows(axes, labels, top=-0.6, above=0.2 + 0.5 * ROW_IN / (ROW_IN + lanes))
        axes.set_xlim(0, max(longest_s, 1e-9) * 1.02)
        axes.set_xlabel("Seconds since base processing began")
        _legend(axes, len(names))
        return svg.inline(
            figure,
            name="stages",
            title="When each stage of base processing was running, for each video",
            description="; ".join(lines) + ".",
        )


def _spans(result: BaseResult, names: Sequence[str]) -> list[tuple[str, float, float]]:
    """A lane for each stage, empty where it was not running."""
    by_name = {stage.name: (stage.began_s, stage.ended_s) for stage in result.stages}
    by_name[FRAMES] = (0.0, result.decode_s)
    return [(name, *by_name.get(name, (0.0, 0.0))) for name in names]


def _stacked(
    labels: Sequence[tuple[str, str]],
    parts: Sequence[Sequence[float]],
    names: Sequence[str],
    name: str,
    axis: str,
    title: str,
    marks: Sequence[float],
) -> Html | None:
    """Stacked bars, one below the other, each with a mark if marks are given."""
    if not labels:
        return None
    with svg.canvas(WIDTH_IN, ROW_IN * len(labels) + FRAME_IN + 0.3) as (figure, axes):
        starts = [0.0] * len(labels)
        middles = [row + BAR_BELOW for row in range(len(labels))]
        for index, part in enumerate(names):
            widths = [values[index] for values in parts]
            colour = svg.GREY if part == OTHER else svg.SERIES[index % len(svg.SERIES)]
            axes.barh(middles, widths, left=starts, height=BAR_HEIGHT, color=colour, label=part)
            starts = [start + width for start, width in zip(starts, widths, strict=True)]
        for row, mark_s in enumerate(marks):
            middle = row + BAR_BELOW
            axes.plot([mark_s] * 2, [middle - 0.26, middle + 0.26], color=svg.INK, linewidth=1.4)
        for row, total_s in enumerate(starts):
            shown_s = marks[row] if marks else total_s
            _number(axes, formats.work(shown_s), max(total_s, shown_s), row)
        _rows(axes, labels, top=-0.6)
        axes.set_xlim(0, max(*starts, *marks, 1e-9) * ROOM)
        axes.set_xlabel(axis)
        _legend(axes, len(names))
        lines = [
            f"{label}: "
            + ", ".join(
                f"{part.lower()} {formats.work(value)}"
                for part, value in zip(names, values, strict=True)
            )
            for (label, _), values in zip(labels, parts, strict=True)
        ]
        if marks:
            timed = zip(lines, marks, strict=True)
            lines = [f"{line}, by the clock {formats.work(mark_s)}" for line, mark_s in timed]
        return svg.inline(figure, name=name, title=title, description="; ".join(lines) + ".")


def _label(pair: Pair) -> str:
    model = formats.shortened(pair.model_title, LABEL_CHARACTERS)
    return f"{model} · {formats.shortened(pair.title, LABEL_CHARACTERS)}"


def _note(pair: Pair) -> str:
    return _listed(pair.badges)


def _listed(badges: Iterable[Badge]) -> str:
    return formats.shortened(", ".join(badge.text for badge in ordered(badges)), NOTE_CHARACTERS)


def _number(axes: Axes, text: str, end: float, row: int) -> None:
    """A bar's number, behind its end."""
    axes.annotate(
        text, (end, row + BAR_BELOW), xytext=(5, 0), textcoords="offset points", va="center",
        color=svg.INK, fontweight="bold",
    )  # fmt: skip


def _legend(axes: Axes, parts: int) -> None:
    """What the colours mean, in one line above the bars."""
    axes.legend(**svg.LEGEND, ncols=min(parts, 8))


def _rows(axes: Axes, labels: Sequence[tuple[str, str]], top: float, above: float = 0.2) -> None:
    """Labels with their notes above the bars, the first on top; bars get the whole width."""
    axes.set_yticks([])
    axes.set_ylim(len(labels) - 0.4, top)
    across = axes.get_yaxis_transform()
    for row, (label, note) in enumerate(labels):
        written = axes.text(0, row - above, label, transform=across, va="center", color=svg.INK)
        axes.annotate(
            note, (1, 0.5), xycoords=written, xytext=(8, 0), textcoords="offset points",
            va="center", color=svg.INK, alpha=0.68, fontsize=7.5,
        )  # fmt: skip
