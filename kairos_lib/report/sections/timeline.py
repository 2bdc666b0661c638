"""The timeline of one video: a lane for each analyzer, in which each mark leads to its scene."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from kairos_lib import formats
from kairos_lib.analyzers.analyzer import scene_of
from kairos_lib.analyzers.marks import Mark
from kairos_lib.media.scene import Scene, scene_number
from kairos_lib.pipeline.lanes import Lane, Row
from kairos_lib.report.page.html import Html, render
from kairos_lib.report.page.svg import SERIES

AXIS_PX = 24
TITLE_PX = 18
ROW_PX = 16
LONE_PX = 22
"""Height of a lane that is one row."""
CURVE_PX = 34
GAP_PX = 9
NARROWEST_PX = 620
USUAL_PX = 930
"""On a page of usual width."""
SCENE_PX = 12
"""Of the widest timeline: each scene can still be hit with a finger's or a pointer's precision."""
WIDEST_PX = 9000
LEAST_SHARE = 0.0012
"""Width of a mark, so that a moment can be seen."""
LETTER_PX = 6.2
TITLE_CHARACTERS = 220
LABEL_CHARACTERS = 60
SHORTENED_CHARACTERS = 9
"""Less of a text says nothing."""
STEPS_S = (0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200)
TICKS_PX = 80


@dataclass(frozen=True)
class DrawnMark:
    """A mark, placed by shares of the timeline's width, in per cent, and in pixels from the top."""

    x: float
    width: float
    y: float
    height: float
    scene: int
    """Number of the scene in which it begins."""
    title: str
    inside: str = ""
    """What is written in it, if there is room."""
    fill: str = ""


@dataclass(frozen=True)
class DrawnRow:
    """A row with its label."""

    label: str
    y: int
    height: int
    marks: tuple[DrawnMark, ...]


@dataclass(frozen=True)
class DrawnLane:
    """A lane with its title; the rows of one that has several are below it."""

    title: str
    note: str
    y: int
    height: int
    title_px: int
    rows: tuple[DrawnRow, ...]
    curve: bool
    tone: int
    """Number of its colour, from 1; 0 for the scenes, which need none."""


def tones(lanes: Sequence[Lane], others: Sequence[str] = ()) -> dict[str, int]:
    """The colour of each analyzer, on the timeline as on pictures; from 1.

    Args:
        lanes: Of the timeline.
        others: Further analyzers, which have no lane.
    """
    names = dict.fromkeys([*(lane.analyzer for lane in lanes[1:]), *others])
    return {name: number % len(SERIES) + 1 for number, name in enumerate(names)}


def timeline(lanes: Sequence[Lane], scenes: Sequence[Scene], end_s: float) -> Html | None:
    """Lanes over one axis of time; None of a video without any.

    Args:
        lanes: That of the scenes first.
        scenes: All of them.
        end_s: Length of the video.
    """
    if not lanes or not scenes or end_s <= 0:
        return None
    width_px = min(WIDEST_PX, max(NARROWEST_PX, SCENE_PX * len(scenes)))
    colours = tones(lanes)
    top, drawn = AXIS_PX, []
    for lane in lanes:
        placed = _lane(lane, colours.get(lane.analyzer, 0), top, scenes, end_s, width_px)
        drawn.append(placed)
        top += placed.height + GAP_PX
    return render(
        "timeline",
        lanes=drawn,
        height_px=top,
        axis_px=AXIS_PX,
        width_px=width_px,
        long=width_px > USUAL_PX,
        ticks=[(100 * at_s / end_s, _tick(at_s)) for at_s in _ticks_s(end_s, width_px)],
    )


def _lane(
    lane: Lane, tone: int, top: int, scenes: Sequence[Scene], end_s: float, width_px: int
) -> DrawnLane:
    alone = len(lane.rows) == 1
    row_px = CURVE_PX if lane.curve else LONE_PX if alone else ROW_PX
    named = any(row.text for row in lane.rows)
    title_px = 0 if alone or not named else TITLE_PX
    rows = []
    for number, row in enumerate(lane.rows):
        y = top + title_px + number * row_px
        marks = tuple(
            _mark(mark, row, y, row_px - 2, scenes, end_s, width_px) for mark in row.marks
        )
        if not tone:
            marks = tuple(replace(mark, inside=_number(mark, width_px)) for mark in marks)
        rows.append(DrawnRow(formats.shortened(row.text, LABEL_CHARACTERS), y, row_px, marks))
    left_out = f"{lane.left_out:,} more marks are not drawn" if lane.left_out else ""
    height = title_px + len(rows) * row_px
    return DrawnLane(lane.title, left_out, top, height, title_px, tuple(rows), lane.curve, tone)


def _mark(
    mark: Mark, row: Row, y: int, height_px: int, scenes: Sequence[Scene], end_s: float,
    width_px: int,
) -> DrawnMark:  # fmt: skip
    width = max(LEAST_SHARE, (mark.end_s - mark.start_s) / end_s)
    tall = height_px if mark.level is None else max(1.0, mark.level * height_px)
    when = formats.time_code(mark.start_s)
    if mark.end_s > mark.start_s:
        when += f"–{formats.time_code(mark.end_s)}"
    if mark.text:
        when = f"{formats.shortened(mark.text, TITLE_CHARACTERS)}, {when}"
    elif mark.level is not None:
        when = f"{formats.share(mark.level)}, {when}"
    inside = "" if row.text or mark.colour or mark.level is not None else mark.text
    # What is too long is cut off by the mark's edge.
    room = USUAL_PX / NARROWEST_PX * width * width_px / LETTER_PX
    inside = formats.shortened(inside, math.ceil(room)) if room >= SHORTENED_CHARACTERS else ""
    return DrawnMark(
        x=round(100 * min(mark.start_s / end_s, 1 - LEAST_SHARE), 3),
        width=round(100 * width, 3),
        y=round(y + 1 + height_px - tall, 1),
        height=round(tall, 1),
        scene=scene_number(scene_of(scenes, mark.start_s)),
        title=when,
        inside=inside,
        fill=mark.colour,
    )


def _number(mark: DrawnMark, width_px: int) -> str:
    """The number of a scene, if there is room."""
    number = str(mark.scene)
    return number if mark.width / 100 * width_px > LETTER_PX * len(number) + 6 else ""


def _ticks_s(end_s: float, width_px: int) -> list[float]:
    """Round moments, no closer than their labels need."""
    fits = (step for step in STEPS_S if end_s / step <= width_px / TICKS_PX)
    step_s = next(fits, STEPS_S[-1] * math.ceil(end_s / STEPS_S[-1] * TICKS_PX / width_px))
    return [number * step_s for number in range(math.floor(end_s / step_s) + 1)]


def _tick(at_s: float) -> str:
    code = formats.time_code(at_s)
    return code.removesuffix(".0")
