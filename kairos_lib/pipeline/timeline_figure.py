"""The timeline of one video as a matplotlib figure, for a notebook: the same lanes as its page."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from kairos_lib import formats
from kairos_lib.pipeline.lanes import Lane
from kairos_lib.report.page.svg import GREY, SERIES

if TYPE_CHECKING:
    from matplotlib.figure import Figure

WIDTH_IN = 10.0
ROW_IN = 0.24
FRAME_IN = 0.7
DPI = 110
CURVE_ROWS = 1.8
"""Height of a curve, in rows."""
BETWEEN_ROWS = 0.5
FILLED = 0.82
"""Share of a row that its marks fill."""
TITLE_CHARACTERS = 32
TINT = 0.45
"""Opacity of marks that have words in them."""
INSIDE_CHARACTERS = 150
"""Letters that fit into the whole width of the figure."""
ALTERNATING = ("#b9bdc3", "#d3d6da")


def timeline_figure(lanes: Sequence[Lane], end_s: float, title: str) -> Figure:
    """Draw lanes over one axis of time.

    Args:
        lanes: From the top, that of the scenes first.
        end_s: Length of the video; without any, the rows are empty.
        title: Of the figure.

    Returns:
        A figure with one axes, in seconds across and in rows down. Notebooks show it whatever
        their backend; it can be changed before that.
    """
    import matplotlib as mpl
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    places, ends = _places(lanes)
    with mpl.rc_context({"font.size": 8.5, "text.parse_math": False}):
        figure = _shown_by_notebooks()(
            figsize=(WIDTH_IN, FRAME_IN + ROW_IN * ends), dpi=DPI, layout="constrained"
        )
        axes = figure.add_subplot()
        for number, (lane, tops) in enumerate(zip(lanes, places, strict=True)):
            if end_s <= 0:
                break  # No mark has a place on an axis without length.
            colours = [SERIES[(number - 1) % len(SERIES)]] if number else ALTERNATING
            for row, (top, height) in zip(lane.rows, tops, strict=True):
                _draw(
                    axes,
                    row.marks,
                    top,
                    height,
                    colours,
                    not lane.curve and (not row.text or not number),
                    end_s,
                )
        rows = [
            (top + height / 2, _name(lane, number) if place else lane.title)
            for place, (lane, tops) in enumerate(zip(lanes, places, strict=True))
            for number, (top, height) in enumerate(tops)
        ]
        axes.set_yticks([at for at, _ in rows], [name for _, name in rows])
        axes.set_ylim(ends, -0.2)
        axes.set_xlim(0, end_s if end_s > 0 else 1)
        axes.xaxis.set_major_locator(MaxNLocator(nbins=10, steps=[1, 2, 3, 6, 10]))
        axes.xaxis.set_major_formatter(
            FuncFormatter(lambda at_s, _: formats.time_code(at_s).removesuffix(".0"))
        )
        axes.spines[["top", "right", "left"]].set_visible(False)
        axes.tick_params(axis="y", length=0)
        axes.grid(axis="x", color=GREY, alpha=0.3, linewidth=0.6)
        axes.set_axisbelow(True)
        axes.set_title(title, loc="left", fontweight="bold")
    return figure


def _places(lanes: Sequence[Lane]) -> tuple[list[list[tuple[float, float]]], float]:
    """The top and the height of each row of each lane, and where all of them end."""
    at, places = 0.0, []
    for lane in lanes:
        height = CURVE_ROWS if lane.curve else 1.0
        places.append([(at + number * height, height) for number in range(len(lane.rows))])
        at += len(lane.rows) * height + BETWEEN_ROWS
    return places, at


def _name(lane: Lane, number: int) -> str:
    """What is written beside a row."""
    text = formats.shortened(lane.rows[number].text, TITLE_CHARACTERS)
    title = formats.shortened(lane.title, TITLE_CHARACTERS)
    if number or not text or text == title:
        return text if number else title
    return formats.shortened(f"{title}: {text}", TITLE_CHARACTERS)


def _draw(
    axes: Any,
    marks: Sequence[Any],
    top: float,
    height: float,
    colours: Sequence[str],
    worded: bool,
    end_s: float,
) -> None:
    """Bars of one row, with their words in them if the row has no name."""
    from matplotlib.collections import PolyCollection
    from matplotlib.patches import Rectangle

    floor = top + height * (1 + FILLED) / 2
    bars = []
    for mark in marks:
        left, right = mark.start_s, max(mark.end_s, mark.start_s + end_s / 1000)
        tip = floor - height * FILLED * (1.0 if mark.level is None else mark.level)
        bars.append([(left, floor), (left, tip), (right, tip), (right, floor)])
    tinted = worded and len(colours) == 1 and not marks[0].colour
    # One piece for all: a curve has hundreds of bars.
    axes.add_collection(
        PolyCollection(
            bars,
            facecolors=[mark.colour or colours[n % len(colours)] for n, mark in enumerate(marks)],
            alpha=TINT if tinted else 1.0,
            linewidths=0,
        )
    )
    for mark, bar in zip(marks if worded else (), bars, strict=False):
        (left, low), (right, high) = bar[0], bar[2]
        room = (right - left) / end_s * INSIDE_CHARACTERS
        said = mark.text.rpartition(" ")[2] if len(colours) > 1 else mark.text
        if not said or mark.colour or mark.level is not None or room < min(4, len(said)):
            continue
        text = axes.text(
            left, (low + high) / 2, " " + formats.shortened(said, math.ceil(room) + 3),
            va="center", fontsize=7, clip_on=True,
        )  # fmt: skip
        # What is too long is cut off by the mark's edge.
        text.set_clip_path(Rectangle((left, high), right - left, low - high,
                                     transform=axes.transData))  # fmt: skip


def _shown_by_notebooks() -> type[Figure]:
    """A figure that a notebook shows as the value of a cell, without pyplot."""
    from matplotlib.figure import Figure

    class Timeline(Figure):
        def _repr_png_(self) -> bytes:
            picture = io.BytesIO()
            self.savefig(picture, format="png", dpi="figure")
            return picture.getvalue()

    return Timeline
