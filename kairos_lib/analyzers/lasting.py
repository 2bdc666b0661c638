"""Which lines of text are the same from one reading of a film to the next.

Knows neither pictures nor readers.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from typing import NamedTuple

SAME_PLACE = 0.3
"""Overlap of two boxes (intersection over union) that makes them one place: boxes of small text
differ by a pixel or two, which is much of their height."""
SURE = 0.9
"""Two texts of at least this score that differ are two texts."""
ALIKE = 0.8
"""Share of equal letters that makes two texts one, if one of them is not sure."""

Edges = tuple[float, float, float, float]


class Line(NamedTuple):
    """A line as it was read once."""

    text: str
    score: float
    box: Edges
    """Left, top, right, bottom as shares of the picture."""


class Lasting:
    """Lines that are in the picture now; memory is that of one picture's lines."""

    @dataclass
    class Seen:
        """A line from its first reading on."""

        line: Line
        """Its most certain reading."""
        start_s: float
        end_s: float
        readings: int = 1
        place: Edges = field(default=(0.0, 0.0, 0.0, 0.0))
        """Of its newest reading."""

    def __init__(self) -> None:
        self._now: list[Lasting.Seen] = []

    def stay(self, time_s: float) -> None:
        """The picture is as it was when it was read."""
        for one in self._now:
            one.end_s = time_s

    def read(self, time_s: float, lines: Iterable[Line]) -> Iterator[Seen]:
        """A reading; yields the lines that have gone since the one before."""
        before, self._now = self._now, []
        for line in lines:
            known = next((one for one in before if _same(one, line)), None)
            if known is None:
                self._now.append(Lasting.Seen(line, time_s, time_s, place=line.box))
                continue
            before.remove(known)
            known.end_s, known.place = time_s, line.box
            known.readings += 1
            if line.score > known.line.score:
                known.line = line
            self._now.append(known)
        yield from before

    def end(self) -> Iterator[Seen]:
        """The lines that are still there at the end."""
        yield from self._now
        self._now = []


def _same(seen: Lasting.Seen, line: Line) -> bool:
    return _overlap(seen.place, line.box) >= SAME_PLACE and _alike(seen.line, line)


def _alike(one: Line, other: Line) -> bool:
    """Whether two readings are of one text: equal, or nearly so where one of them is not sure."""
    texts = ["".join(line.text.casefold().split()) for line in (one, other)]
    if texts[0] == texts[1]:
        return True
    # A score or a clock is another text with every digit.
    digits = [[letter for letter in text if letter.isdigit()] for text in texts]
    if min(one.score, other.score) >= SURE or digits[0] != digits[1]:
        return False
    likeness = SequenceMatcher(a=texts[0], b=texts[1], autojunk=False).ratio()
    return likeness >= ALIKE


def _overlap(one: Edges, other: Edges) -> float:
    """Intersection over union."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    if width <= 0 or height <= 0:
        return 0.0
    both = width * height
    areas = sum((box[2] - box[0]) * (box[3] - box[1]) for box in (one, other))
    return both / (areas - both)
