"""Charts as inline SVG that takes its colours from the page it stands in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from kairos_lib.report import formats, svg
from kairos_lib.report.badges import ordered
from kairos_lib.report.html import Html
from kairos_lib.report.suite import SuiteData
from kairos_lib.report.summary import Pair, pairs
from kairos_lib.report.tables import (
    PARTS,
    frames_s,
    parts_per_scene,
    resumed,
    stage_names,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LABEL_CHARACTERS = 34
WIDTH_IN = 8.6
ROW_IN = 0.34
FRAME_IN = 0.75
"""Height of everything but the rows: the axis and its label."""


def rtf(suite: SuiteData) -> Html | None:
    """A bar for each model and video, with a line where work takes as long as the video."""
    shown = [(pair, measure) for pair in pairs(suite) if (measure := pair.rtf) is not None]
    if not shown:
        return None
    with svg.canvas(WIDTH_IN, ROW_IN * len(shown) + FRAME_IN) as (figure, axes):
        reach = max(1.0, *(measure.high for _, measure in shown))
        for row, (pair, measure) in enumerate(shown):
            colour = svg.SERIES[1] if measure.value > 1 else svg.SERIES[0]
            faint = 0.4 if resumed(pair) else 1.0
            axes.barh(row, measure.value, height=0.56, color=colour, alpha=faint)
            if measure.n > 1:
                axes.plot([measure.low, measure.high], [row, row], color=svg.INK, linewidth=1.2)
            label = formats.factor(measure.value)
            axes.annotate(
                label, (measure.high, row), xytext=(5, 0), textcoords="offset points", va="center",
                color=svg.INK, fontweight="bold",
            )  # fmt: skip
            note = ", ".join(formats.shortened(badge.text, 24) for badge in ordered(pair.badges))
            axes.annotate(
                note, (measure.high, row), xytext=(11 + 5.5 * len(label), 0), alpha=0.65,
                textcoords="offset points", va="center", color=svg.INK, fontsize=7.5,
            )  # fmt: skip
        axes.axvline(1.0, color=svg.INK, linewidth=1, linestyle=(0, (4, 3)))
        axes.annotate(
            "real time", (1.0, -0.62), xytext=(4, 0), textcoords="offset points", va="center",
            color=svg.INK, fontsize=7.5, alpha=0.8,
        )  # fmt: skip
        _rows(axes, [_label(pair) for pair, _ in shown])
        # Room at the right for what is written behind the longest bar.
        axes.set_xlim(0, reach * 1.45)
        axes.set_xlabel("Real-time factor (VLM time by length of the video)")
        told = "; ".join(
            f"{pair.model_title} on {pair.title} {formats.factor(measure.value)}"
            for pair, measure in shown
        )
        return svg.inline(
            figure,
            name="rtf",
            title="Real-time factor of each model and video",
            description=f"Below 1x keeps up with the video. {told}.",
        )


def single_stream(suite: SuiteData) -> Html | None:
    """Where the time of one scene goes."""
    labels = []
    parts = []
    for pair in pairs(suite):
        measures = [
            pair.measure("single-stream", lambda s, part=part: parts_per_scene(s)[part])  # type: ignore[misc]
            for part in range(len(PARTS))
        ]
        if any(measures):
            labels.append(_label(pair))
            parts.append([measure.value if measure else 0.0 for measure in measures])
    return _stacked(
        labels,
        parts,
        PARTS,
        name="single-stream",
        axis="Seconds per scene, one scene at a time",
        title="Where the time of one scene goes, for each model and video",
    )


def stages(suite: SuiteData) -> Html | None:
    """Where the time of base processing goes."""
    names = stage_names(suite)
    labels = []
    parts = []
    for base in suite.bases:
        if base.stages:
            by_name = {stage.name: stage.time_s for stage in base.stages}
            labels.append(formats.shortened(base.planned.title, LABEL_CHARACTERS))
            parts.append([frames_s(base) or 0.0, *(by_name.get(name, 0.0) for name in names)])
    return _stacked(
        labels,
        parts,
        ("Frames", *(name.replace("_", " ").capitalize() for name in names)),
        name="stages",
        axis="Seconds",
        title="Where the time of base processing goes, for each video",
    )


def _stacked(
    labels: Sequence[str],
    parts: Sequence[Sequence[float]],
    names: Sequence[str],
    name: str,
    axis: str,
    title: str,
) -> Html | None:
    """Bars made of parts, one below the other."""
    if not labels:
        return None
    with svg.canvas(WIDTH_IN, ROW_IN * len(labels) + FRAME_IN + 0.3) as (figure, axes):
        starts = [0.0] * len(labels)
        for index, part in enumerate(names):
            widths = [values[index] for values in parts]
            colour = svg.SERIES[index % len(svg.SERIES)]
            axes.barh(
                range(len(labels)), widths, left=starts, height=0.56, color=colour, label=part
            )
            starts = [start + width for start, width in zip(starts, widths, strict=True)]
        for row, total_s in enumerate(starts):
            axes.annotate(
                formats.work(total_s), (total_s, row), xytext=(5, 0), textcoords="offset points",
                va="center", color=svg.INK, fontweight="bold",
            )  # fmt: skip
        _rows(axes, labels)
        axes.set_xlim(0, max(*starts, 1e-9) * 1.12)
        axes.set_xlabel(axis)
        axes.legend(
            loc="lower left", bbox_to_anchor=(0, 1.0), ncols=min(len(names), 8), frameon=False,
            handlelength=0.9, handleheight=0.9, columnspacing=1.4, borderaxespad=0.2,
            labelcolor=svg.INK,
        )  # fmt: skip
        told = "; ".join(
            f"{label.replace(chr(10), ', ')}: "
            + ", ".join(
                f"{part.lower()} {formats.work(value)}"
                for part, value in zip(names, values, strict=True)
            )
            for label, values in zip(labels, parts, strict=True)
        )
        return svg.inline(figure, name=name, title=title, description=f"{told}.")


def _label(pair: Pair) -> str:
    model = formats.shortened(pair.model_title, LABEL_CHARACTERS)
    return f"{model} · {formats.shortened(pair.title, LABEL_CHARACTERS)}"


def _rows(axes: Axes, labels: Sequence[str]) -> None:
    """One labelled row for each bar, the first on top."""
    axes.set_yticks(range(len(labels)), labels)
    axes.set_ylim(len(labels) - 0.5, -0.9)
