"""What analyzers mark in a video, as lanes of a timeline. Does not know how lanes are drawn."""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeVar

from kairos_lib.analyzers.analyzer import Stage, find, names
from kairos_lib.analyzers.marks import Mark
from kairos_lib.errors import KairosError
from kairos_lib.media.scene import Scene
from kairos_lib.pipeline.records import BaseResult
from kairos_lib.runs.journal import Journal

T = TypeVar("T")
ROWS_AT_MOST = 6
"""Of one lane; rarer texts share the last row."""
MARKS_AT_MOST = 800
"""Of one row: about as many as a wide page has pixels for."""
OVERLAP_S = 0.25
"""Stretches that follow each other may overlap by this much in a row."""
OTHERS = "others"
COLOUR = re.compile(r"#[0-9a-fA-F]{6}")


@dataclass(frozen=True)
class Row:
    """A row of a lane: marks in order of time."""

    text: str
    """What all of them are; empty if each says that itself."""
    marks: tuple[Mark, ...]


@dataclass(frozen=True)
class Lane:
    """What one analyzer marks."""

    analyzer: str
    title: str
    rows: tuple[Row, ...]
    left_out: int = 0
    """Marks that are not drawn, as there are too many."""

    @property
    def curve(self) -> bool:
        """Whether its marks have a height."""
        return any(mark.level is not None for row in self.rows for mark in row.marks)


def analyzers_of(result: BaseResult) -> list[type[Stage]]:
    """The analyzers that are done and that exist here, in the order in which they are listed."""
    known = set(names())
    return [find(one.name) for one in result.stages if one.state == "done" and one.name in known]


def asked(kind: type[Stage], hook: str, answer: Callable[[], T]) -> T:
    """What an analyzer says of its records.

    Raises:
        KairosError: It failed: a custom analyzer can do so in any way.
    """
    try:
        return answer()
    except Exception as error:
        reason = f"{type(error).__name__}: {next(iter(str(error).splitlines()), '')}"
        raise KairosError(f"the analyzer {kind.name} failed in {hook}(): {reason}") from error


def title_of(kind: type[Stage]) -> str:
    """What a reader sees as its name."""
    return kind.heading or kind.name.replace("_", " ").capitalize()


def lanes(folder: Path, result: BaseResult) -> Iterator[Lane]:
    """The lanes of a base run, that of the scenes first; one analyzer's records at a time.

    Args:
        folder: The run's folder.
        result: Of that run.

    Raises:
        KairosError: An analyzer's marks cannot be drawn.
    """
    scenes = list(Journal(folder / "scenes.jsonl", Scene))
    end_s = result.facts.duration_s
    for kind in analyzers_of(result):
        by_labels = _shown_by_labels(kind)
        if not (kind.answers("marks") or by_labels):
            continue  # Nothing of it would be drawn: motion alone has ten records a second.
        records: list[Any] = list(Journal(folder / f"{kind.name}.jsonl", kind.record))
        marks = checked(kind, asked(kind, "marks", lambda: list(kind.marks(records))), end_s)  # noqa: B023
        if by_labels:
            marks = _labels(kind, records, scenes)
        if marks:
            rows, left_out = _rows(marks)
            yield Lane(kind.name, title_of(kind), tuple(rows), left_out)


def _shown_by_labels(kind: type[Stage]) -> bool:
    """Whether the labels of its scenes are its lane: it has them, and no marks of its own."""
    placed = kind.about_scenes and "scene" in kind.record.model_fields
    return placed and bool(kind.filter_title) and not kind.answers("marks")


def _labels(kind: type[Stage], records: Sequence[Any], scenes: Sequence[Scene]) -> list[Mark]:
    """Labels of scenes as marks, each as long as its scene."""
    by_scene: dict[int, list[Any]] = defaultdict(list)
    for record in records:
        by_scene[record.scene].append(record)
    return [
        Mark(scene.start_s, scene.end_s, label)
        for scene in scenes
        if scene.index in by_scene
        for label in dict.fromkeys(
            asked(kind, "labels", lambda: kind.labels(by_scene[scene.index]))  # noqa: B023
        )
    ]


def checked(kind: type[Stage], marks: list[Mark], end_s: float) -> list[Mark]:
    """Marks within the video, in order of time.

    Raises:
        KairosError: One is no stretch of time, or its colour is none.
    """
    kept = []
    for mark in marks:
        if not (math.isfinite(mark.start_s) and mark.start_s <= mark.end_s < math.inf):
            raise KairosError(f"the analyzer {kind.name} marks from {mark.start_s} to {mark.end_s}")
        if mark.colour and not COLOUR.fullmatch(mark.colour):
            raise KairosError(f"the analyzer {kind.name} marks in {mark.colour!r}: use #rrggbb")
        level = mark.level
        if level is not None:
            level = min(1.0, max(0.0, level)) if math.isfinite(level) else 0.0
        start_s, stop_s = (min(max(0.0, at_s), end_s) for at_s in (mark.start_s, mark.end_s))
        kept.append(replace(mark, start_s=start_s, end_s=stop_s, level=level))
    return sorted(kept, key=lambda mark: mark.start_s)


def _rows(marks: list[Mark]) -> tuple[list[Row], int]:
    """Share out marks to rows: one for each text, or as many as they need not to cover others."""
    by_text: dict[str, list[Mark]] = defaultdict(list)
    for mark in marks:
        by_text[mark.text].append(mark)
    texts = sorted(by_text, key=lambda text: -sum(m.end_s - m.start_s for m in by_text[text]))
    shares: list[tuple[str, list[Mark]]]
    curve = any(mark.level is not None for mark in marks)
    coloured = any(mark.colour for mark in marks)
    # What is said is said once, and what a colour shows needs no name.
    unnamed = _in_one_row(marks) if curve else coloured or len(texts) > len(marks) / 2
    if unnamed and (coloured or len(texts) > 1):
        shares = [("", row) for row in _packed(marks)]
    elif len(texts) <= ROWS_AT_MOST:
        shares = [(text, by_text[text]) for text in texts]
    else:
        rest = set(texts[ROWS_AT_MOST - 1 :])
        shares = [(text, by_text[text]) for text in texts[: ROWS_AT_MOST - 1]]
        shares.append((OTHERS, [mark for mark in marks if mark.text in rest]))
    left_out, rows = 0, []
    for text, share in shares:
        drawn = _fewer(_going_on(share))
        # A value or a colour that is drawn stands for its whole part.
        if share[0].level is None and not (coloured and drawn[0].end_s > drawn[0].start_s):
            left_out += len(share) - len(drawn)
        rows.append(Row(text, tuple(drawn)))
    return rows, left_out


def _in_one_row(marks: Sequence[Mark]) -> bool:
    """Whether a curve is one: its texts say what its heights mean."""
    return all(
        before.end_s <= after.start_s + OVERLAP_S and before.start_s < after.start_s
        for before, after in pairwise(marks)
    )


def _packed(marks: Sequence[Mark]) -> list[list[Mark]]:
    """Marks in the first row that has room; where none has, in the last one, on top of others."""
    rows: list[list[Mark]] = []
    for mark in marks:
        free = (row for row in rows if row[-1].end_s <= mark.start_s + OVERLAP_S)
        # Moments take no room, but two at the same time are two.
        row = next((row for row in free if row[-1].start_s < mark.start_s), None)
        if row is None and len(rows) < ROWS_AT_MOST:
            rows.append([])
        (rows[-1] if row is None else row).append(mark)
    return rows


def _going_on(marks: list[Mark]) -> list[Mark]:
    """A curve's values at moments as stretches up to the next one."""
    moments = [m for m in marks if m.level is not None and m.end_s == m.start_s]
    if len(moments) < len(marks) or len(marks) < 2:
        return marks
    ends_s = [mark.start_s for mark in marks[1:]]
    ends_s.append(2 * ends_s[-1] - marks[-2].start_s)
    return [replace(mark, end_s=end_s) for mark, end_s in zip(marks, ends_s, strict=True)]


def _fewer(marks: list[Mark]) -> list[Mark]:
    """As many as can be drawn: the longest.

    A curve, a strip of colours and moments are thinned in equal parts, so that none is left blank:
    the highest of each part, its longest, its first.
    """
    if len(marks) <= MARKS_AT_MOST:
        return marks
    curve = marks[0].level is not None
    moments = not curve and all(mark.start_s == mark.end_s for mark in marks)
    if not (curve or moments or any(mark.colour for mark in marks)):
        longest = sorted(marks, key=_minus_length_s)[:MARKS_AT_MOST]
        return sorted(longest, key=lambda mark: mark.start_s)
    size = math.ceil(len(marks) / MARKS_AT_MOST)
    parts = [marks[at : at + size] for at in range(0, len(marks), size)]
    if moments:
        return [part[0] for part in parts]
    return [
        replace(
            max(part, key=lambda mark: mark.level or 0.0) if curve
            else min(part, key=_minus_length_s),
            start_s=part[0].start_s,
            end_s=max(mark.end_s for mark in part),
        )
        for part in parts
    ]  # fmt: skip


def _minus_length_s(mark: Mark) -> float:
    return mark.start_s - mark.end_s
