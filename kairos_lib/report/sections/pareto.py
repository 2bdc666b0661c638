"""Speed against quality: which models are unbeaten in both. The chart and its table."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from kairos_lib import formats
from kairos_lib.formats import MISSING
from kairos_lib.report.page import svg
from kairos_lib.report.page.html import Html, joined, render
from kairos_lib.report.page.labels import place
from kairos_lib.report.sections.badges import pills
from kairos_lib.report.sections.tables import MODEL, NOTES, Cell, Column, table
from kairos_lib.results.speed_and_quality import (
    Point,
    SpeedAndQuality,
    Yardstick,
    speed_and_quality,
)
from kairos_lib.results.suite import SuiteData

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH_IN = 8.6
HEIGHT_IN = 4.3
ROW_IN = 0.2
"""Height per name, if there are many."""
MARGINS_IN = (0.75, 0.55, 0.25, 0.35)
"""Margins of the plot for its labels: left, below, right and above."""
NARROW_MARGINS_IN = (0.7, 0.7, 0.15, 0.65)
"""Likewise on a phone, where labels take more lines."""
DECADE = 10.0
"""If the slowest takes this many times as long as the fastest, the axis is logarithmic."""
LEAST_SPAN = 0.1
"""Least range of the quality axis, so that a tiny difference does not look large."""
BELOW_NONE, ABOVE_ALL = -0.015, 1.015
"""Room for a dot at 0 or at 100 %, without a tick beyond it."""
FONT_PT = 8.5
LEADER: dict[str, Any] = {
    "arrowstyle": "-", "color": svg.INK, "alpha": 0.35, "linewidth": 0.7, "shrinkB": 5,
}  # fmt: skip
LABEL_CHARACTERS = 34


def speed_against_quality(suite: SuiteData) -> Html | None:
    """The chart with its table; one line with the reason if models cannot be compared."""
    shown = speed_and_quality(suite)
    if shown.yardstick is None:
        return render("remark", text=f"No chart of speed against quality: {shown.why_not}.")
    return joined(_chart(shown, shown.yardstick), _table(shown, shown.yardstick), _note(shown))


def _table(shown: SpeedAndQuality, yardstick: Yardstick) -> Html | None:
    columns = (
        MODEL,
        Column("RTF", explanation="VLM time by length, over the videos that all models share"),
        Column(yardstick.name, explanation=yardstick.explanation),
        Column("Scenes", explanation="Scenes that all models captioned, by which they are judged"),
        Column(
            "Pareto front",
            number=False,
            explanation="On the front: no other model is both faster and better",
            wide=True,
        ),
        NOTES,
    )
    rows: list[tuple[Cell, ...]] = [
        (
            point.title, formats.factor(point.rtf), yardstick.written(point.value),
            f"{point.quality.n:,}",
            "on the front" if point.on_front else f"beaten by {'; '.join(point.beaten_by)}",
            pills(point.badges),
        )
        for point in shown.points
    ]  # fmt: skip
    rows += [(title, *[MISSING] * 3, why, "") for title, why in shown.absent]
    return table("Speed against quality", columns, rows)


def _note(shown: SpeedAndQuality) -> Html:
    assert shown.yardstick is not None
    videos = formats.count(len(shown.videos), "video")
    return render(
        "remark",
        text=f"{shown.yardstick.name}: {shown.yardstick.explanation}. Over {videos} that all "
        f"models shown have in common: {', '.join(shown.videos)}. Points close together may differ "
        "by chance alone.",
    )


def _chart(shown: SpeedAndQuality, yardstick: Yardstick) -> Html:
    points = shown.points
    height_in = max(HEIGHT_IN, ROW_IN * len(points) + 1.0)
    with (
        svg.canvas(WIDTH_IN, height_in) as (figure, axes),
        svg.canvas(svg.NARROW_IN, height_in) as (narrow, narrow_axes),
    ):
        _draw(figure, axes, points, yardstick, MARGINS_IN, columns=3)
        _draw(narrow, narrow_axes, points, yardstick, NARROW_MARGINS_IN, columns=1)
        lines = "; ".join(
            f"{point.title}: {formats.factor(point.rtf)}, {yardstick.written(point.value)}, "
            + ("on the front" if point.on_front else f"beaten by {'; '.join(point.beaten_by)}")
            for point in points
        )
        return svg.inline(
            figure,
            name="speed-quality",
            title=f"Real-time factor of each model against {yardstick.name.lower()}",
            description=f"Up and to the left is better. {lines}.",
            narrow=narrow,
        )


def _draw(
    figure: Figure,
    axes: Axes,
    points: Sequence[Point],
    yardstick: Yardstick,
    margins_in: tuple[float, float, float, float],
    columns: int,
) -> None:
    # Names are placed by hand, so the position of the axes must be known before drawing.
    figure.set_layout_engine("none")
    width_in, height_in = figure.get_size_inches()
    left, below, right, above = margins_in
    across, upward = 1 - (left + right) / width_in, 1 - (below + above) / height_in
    axes.set_position((left / width_in, below / height_in, across, upward))
    axes.grid(axis="y", color=svg.INK, alpha=0.12, linewidth=0.7)
    _scale(axes, points, yardstick)
    front = [point for point in points if point.on_front]
    stairs = _stairs(axes, front)
    axes.plot(
        [x for x, _ in stairs], [y for _, y in stairs], color=svg.SERIES[0], alpha=0.55,
        linewidth=1.4, label="Pareto front: nothing is faster and better",
    )  # fmt: skip
    _dots(axes, front, svg.SERIES[0], "on the front")
    _dots(axes, [point for point in points if not point.on_front], "none", "beaten")
    _names(figure, axes, points, stairs)
    characters = round(svg.NARROW_CHARACTERS * across * width_in / svg.NARROW_IN)
    label_text = "Real-time factor: VLM time by length (further left is faster)"
    axes.set_xlabel(textwrap.fill(label_text, characters))
    axes.set_ylabel(yardstick.name)
    axes.legend(**svg.LEGEND, ncols=columns)


def _scale(axes: Axes, points: Iterable[Point], yardstick: Yardstick) -> None:
    """Ends and ticks of both axes."""
    rtfs = [point.rtf for point in points]
    if max(rtfs) > DECADE * min(rtfs) > 0:
        axes.set_xscale("log")
        axes.set_xlim(min(rtfs) / 1.6, max(rtfs) * 1.6)
    else:
        axes.set_xlim(0, max(rtfs) * 1.25 or 1.0)
    axes.xaxis.set_major_formatter(lambda rtf, _: formats.factor(rtf) if rtf else "0")
    axes.xaxis.set_minor_formatter(lambda rtf, _: "")
    values = [point.value for point in points]
    middle = (min(values) + max(values)) / 2
    half = max(max(values) - min(values), LEAST_SPAN) * 0.65
    low, high = max(middle - half, BELOW_NONE), min(middle + half, ABOVE_ALL)
    axes.set_ylim(low, high)
    # The extra room for points at the very ends lies outside the range of a share.
    axes.set_yticks([tick for tick in axes.get_yticks() if max(low, 0) <= tick <= min(high, 1)])
    axes.yaxis.set_major_formatter(lambda value, _: yardstick.written(value).replace(".0", ""))


def _stairs(axes: Axes, front: Sequence[Point]) -> list[tuple[float, float]]:
    """The corners of the line: anything below and to the right of it is beaten.

    Steps rather than a slope: nothing is known about what is between two models.
    """
    corners = [(front[0].rtf, axes.get_ylim()[0])]
    for point in front:
        corners += [(point.rtf, corners[-1][1]), (point.rtf, point.value)]
    return [*corners, (axes.get_xlim()[1], front[-1].value)]


def _dots(axes: Axes, points: list[Point], fill: str, label: str) -> None:
    if points:
        axes.plot(
            [point.rtf for point in points], [point.value for point in points], linestyle="none",
            marker="o", markersize=7.5, markerfacecolor=fill, markeredgewidth=1.4, label=label,
            markeredgecolor=svg.GREY if fill == "none" else fill, zorder=3,
        )  # fmt: skip


def _names(
    figure: Figure,
    axes: Axes,
    points: Sequence[Point],
    stairs: Sequence[tuple[float, float]],
) -> None:
    """Each model's name beside its point; a thin line connects one that is further away."""
    per_px = 72 / figure.dpi

    def on_paper(where: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
        return [(float(x) * per_px, float(y) * per_px) for x, y in axes.transData.transform(where)]

    places = on_paper([(point.rtf, point.value) for point in points])
    lines = [
        (min(x, next_x), min(y, next_y), max(x, next_x), max(y, next_y))
        for (x, y), (next_x, next_y) in pairwise(on_paper(stairs))
    ]
    around = axes.get_position()
    width, height = (float(side) * 72 for side in figure.get_size_inches())
    room = (around.x0 * width, around.y0 * height, around.x1 * width, around.y1 * height)
    titles = [formats.shortened(point.title, LABEL_CHARACTERS) for point in points]
    labels = place(places, titles, room, FONT_PT, lines)
    for point, title, label in zip(points, titles, labels, strict=True):
        axes.annotate(
            title, (point.rtf, point.value), xytext=(label.right_pt, label.up_pt),
            textcoords="offset points", ha=label.side, va="center", color=svg.INK,
            fontsize=FONT_PT, arrowprops=LEADER if label.far else None,
        )  # fmt: skip
