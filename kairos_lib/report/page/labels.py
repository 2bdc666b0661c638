"""Places the names of points so that none covers another. Does not know what they name."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

Box = tuple[float, float, float, float]
"""Left, bottom, right, top in points."""
WIDTH_EM = 0.6
"""A character's width relative to the font size; generous, as the page's font is unknown."""
HEIGHT_EM = 1.35
GAP_PT = 8.0
"""From a point's centre to its name."""
DOT_PT = 5.0
"""Half the side of the square that a point covers."""


@dataclass(frozen=True)
class Label:
    """Position of a name relative to its point."""

    right_pt: float
    up_pt: float
    """To the middle of the line."""
    side: Literal["left", "right"]
    """Which end of the text is at that position."""
    box: Box
    far: bool
    """Whether it is so far away that it needs a line to its point."""


def place(
    points: Sequence[tuple[float, float]],
    names: Sequence[str],
    room: Box,
    font_pt: float,
    lines: Sequence[Box] = (),
) -> list[Label]:
    """Place names next to points, as near as possible.

    Args:
        points: Distance from the left and the bottom, in points.
        names: One for each point.
        room: Box that names must stay inside.
        font_pt: Font size.
        lines: Vertical or horizontal lines that names must not cover, as boxes without width.

    Returns:
        The place of each name, in the order of the points. If there is no room left at all, a name
        goes to the right of its point, whatever it covers.
    """
    dots = [(x - DOT_PT, y - DOT_PT, x + DOT_PT, y + DOT_PT) for x, y in points]
    placed: dict[int, Label] = {}
    # From the top, so that names in a crowd are in the order of their points.
    for number in sorted(range(len(points)), key=lambda number: -points[number][1]):
        others = [dot for other, dot in enumerate(dots) if other != number]
        taken = [*others, *lines, *(label.box for label in placed.values())]
        choices = list(_choices(points[number], names[number], font_pt, room))
        free = (
            choice
            for choice in choices
            if _inside(choice.box, room) and not any(_meet(choice.box, box) for box in taken)
        )
        placed[number] = next(free, choices[0])
    return [placed[number] for number in range(len(points))]


def _choices(point: tuple[float, float], name: str, font_pt: float, room: Box) -> Iterator[Label]:
    """Places for a name, the best first: right, left, then further and further up and down."""
    width, height = WIDTH_EM * font_pt * len(name), HEIGHT_EM * font_pt
    x, y = point
    steps = int((room[3] - room[1]) / height) + 1
    for step in range(2 * steps):
        up = (step + 1) // 2 * height * (1 if step % 2 else -1)
        low, high = y + up - height / 2, y + up + height / 2
        far = abs(up) > height
        yield Label(GAP_PT, up, "left", (x + GAP_PT, low, x + GAP_PT + width, high), far)
        yield Label(-GAP_PT, up, "right", (x - GAP_PT - width, low, x - GAP_PT, high), far)


def _inside(box: Box, room: Box) -> bool:
    return box[0] >= room[0] and box[1] >= room[1] and box[2] <= room[2] and box[3] <= room[3]


def _meet(one: Box, other: Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
