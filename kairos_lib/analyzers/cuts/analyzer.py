"""Cuts: shots with their lengths, how each begins, and the rhythm of the cutting."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from statistics import median
from typing import ClassVar

import numpy as np

from kairos_lib import formats
from kairos_lib.analyzers.analyzer import Stage, scene_of
from kairos_lib.analyzers.cuts.transitions import Looks, Transition, places, transitions
from kairos_lib.analyzers.marks import Mark
from kairos_lib.analyzers.motion import Motion
from kairos_lib.runs.journal import Journal
from kairos_lib.runs.record import Record

RHYTHM_S = 60.0
"""Rhythm is told from as long a part of the video, around the middle of a shot."""
MOVING = 0.03
"""Widths per second at which the picture moves as a whole,"""
MOVING_INLIERS = 0.8
"""if as many of its points follow."""
BEGINNING, ENDING = "start", "end"


class Shot(Record):
    """From one transition to the next. Scenes that only a flash divides are one shot."""

    scene: int
    """That in which most of it lies."""
    start_s: float
    end_s: float
    length_s: float
    opens_with: str
    """`start` of the video, cut, dissolve, or a fade from, to or through black or white."""
    opening_start_s: float
    """Of the transition that it opens with; a cut has no length."""
    opening_end_s: float
    closes_with: str
    """The same; `end` of the video."""
    flashes_s: tuple[float, ...] = ()
    """Where scenes meet in it although nothing is different afterwards."""
    transitions_per_minute: float
    """In the minute around its middle, or as much of it as there is."""


class Analyzer(Stage):
    """Tells shots from what `scenes` and `motion` have found."""

    name: ClassVar[str] = "cuts"
    version: ClassVar[int] = 1
    record: ClassVar[type[Shot]] = Shot
    heading: ClassVar[str] = "Shots"
    nothing: ClassVar[str] = "no shot of its own"
    filter_title: ClassVar[str] = "Opens with"
    needs: ClassVar[tuple[str, ...]] = ("scenes", "motion")

    @classmethod
    def prompt_line(cls, records: Sequence[Shot]) -> str:
        """How long its shots are and how they begin."""
        said = [f"{one.length_s:.1f} s after a {one.opens_with}" for one in records[:4]]
        said = [one.replace(f" after a {BEGINNING}", " at the beginning") for one in said]
        return "Shots: " + ", ".join(said) if said else ""

    @classmethod
    def view(cls, records: Sequence[Shot]) -> str:
        """The same, with the rhythm."""
        return "; ".join(
            f"{formats.length(one.length_s)}, opens with {one.opens_with}, "
            f"{one.transitions_per_minute:.0f} transitions a minute"
            for one in records
        )

    @classmethod
    def labels(cls, records: Sequence[Shot]) -> list[str]:
        """What its shots open with."""
        return list(dict.fromkeys(one.opens_with for one in records))

    @classmethod
    def marks(cls, records: Sequence[Shot]) -> list[Mark]:
        """Each transition and each flash."""
        found = []
        for one in records:
            if one.opens_with != BEGINNING or one.opening_end_s > one.opening_start_s:
                found.append(Mark(one.opening_start_s, one.opening_end_s, one.opens_with))
            found += [Mark(flash_s, flash_s, "flash") for flash_s in one.flashes_s]
        return sorted(found, key=lambda mark: mark.start_s)

    @classmethod
    def figures(cls, records: Sequence[Shot]) -> Mapping[str, str]:
        """Shots, their median, rhythm and its course, and kinds of transitions."""
        if not records:
            return {}
        end_s = records[-1].end_s
        told = {
            "Shots": f"{len(records):,}",
            "Shot (median)": formats.length(median(one.length_s for one in records)),
        }
        # A fade with which the video begins is between no two shots, for its rhythm neither.
        kinds = Counter(one.opens_with for one in records[1:])
        if end_s > 0 and kinds:
            told["Transitions a minute"] = f"{kinds.total() / end_s * 60:.1f}"
            told["Transitions"] = ", ".join(f"{n} {kind}" for kind, n in kinds.most_common())
            told["Rhythm by thirds"] = ", ".join(f"{one:.0f}" for one in _course(records, 3))
        return told

    def run(self) -> Iterator[Shot]:
        """Yield the shots in order."""
        scenes = self.context.scenes()
        boundaries_s = [scene.start_s for scene in scenes[1:]]
        end_s = scenes[-1].end_s
        looks = _looks(Journal(self.context.folder / "motion.jsonl", Motion))
        found = transitions(looks, boundaries_s)
        flashes_s = [one.start_s for one in found if one.kind == "flash"]
        # What a video begins or ends with is not between two shots.
        found = [one for one in found if one.kind != "flash"]
        opening = _outer(found, 0, looks)
        closing = _outer(found, -1, looks)
        at_s = places(found, boundaries_s)
        turns_s = np.array(at_s)
        bounds_s = [0.0, *at_s, end_s]
        beginning = opening or Transition("cut", 0.0, 0.0)
        starts = [beginning, *found]
        for number, (start_s, stop_s) in enumerate(pairwise(bounds_s)):
            if stop_s <= start_s:
                continue
            first, last = number == 0, number == len(bounds_s) - 2
            middle_s = (start_s + stop_s) / 2
            yield Shot(
                scene=scene_of(scenes, start_s, stop_s),
                start_s=start_s,
                end_s=stop_s,
                length_s=stop_s - start_s,
                opens_with=BEGINNING if first and opening is None else starts[number].name,
                opening_start_s=starts[number].start_s,
                opening_end_s=starts[number].end_s,
                closes_with=(closing.name if closing else ENDING) if last
                else starts[number + 1].name,
                flashes_s=tuple(one for one in flashes_s if start_s <= one < stop_s),
                transitions_per_minute=_rate(turns_s, middle_s, end_s),
            )  # fmt: skip


def _outer(found: list[Transition], place: int, looks: Looks) -> Transition | None:
    """Take out a fade with which a video begins (0) or ends (-1)."""
    if not found or not len(looks.time_s):
        return None
    one, edge_s = found[place], looks.time_s[place]
    begins = place == 0 and one.kind == "fade from" and one.start_s == edge_s
    ends = place == -1 and one.kind == "fade to" and one.end_s == edge_s
    return found.pop(place) if begins or ends else None


def _looks(motions: Journal[Motion]) -> Looks:
    times_s, grids, moving = [], [], []
    for one in motions:
        times_s.append(one.time_s)
        grids.append(np.array(one.grid, np.uint8))
        move = one.movement
        speed = 0.0
        if move is not None and one.inliers >= MOVING_INLIERS:
            # A zoom or a roll moves the picture's edge by half a width.
            turn = np.hypot(move.zoom_per_s, np.radians(move.roll_deg_per_s)) / 2
            speed = float(np.hypot(move.dx_widths_per_s, move.dy_widths_per_s) + turn)
        moving.append(speed > MOVING)
    return Looks(np.array(times_s), np.array(grids, np.uint8), np.array(moving, bool))


def _rate(turns_s: np.ndarray, middle_s: float, end_s: float) -> float:
    """Transitions per minute around a moment."""
    first_s, last_s = max(0.0, middle_s - RHYTHM_S / 2), min(end_s, middle_s + RHYTHM_S / 2)
    inside = ((turns_s >= first_s) & (turns_s < last_s)).sum() if len(turns_s) else 0
    return float(inside) / (last_s - first_s) * 60


def _course(records: Sequence[Shot], parts: int) -> list[float]:
    """Transitions per minute in each of some equal parts of a video."""
    end_s = records[-1].end_s
    turns_s = [one.start_s for one in records[1:]]
    counts, _ = np.histogram(turns_s, parts, (0.0, end_s))
    return [float(count) / (end_s / parts) * 60 for count in counts]
