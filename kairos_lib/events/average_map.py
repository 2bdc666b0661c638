"""SoccerNet's measure of spotting: the average-mAP, quirks included.

From Giancola, Amine, Dghaily and Ghanem, "SoccerNet: A Scalable Dataset for Action Spotting in
Soccer Videos" (CVPR Workshops, 2018), and Deliège et al., "SoccerNet-v2" (CVPR Workshops, 2021).
Equal to the package `SoccerNet` 0.2.0 (`SoccerNet/Evaluation/ActionSpotting.py`, `evaluate` with
`framerate=2` and `version=2`). Its quirks are kept, since published figures contain them; each is
told here where it is computed, and in `docs/events.md`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Literal

import numpy as np

from kairos_lib.errors import KairosError
from kairos_lib.events.matching import NOBODY, Numbers, Values, in_turn, milliseconds, near
from kairos_lib.events.records import Event
from kairos_lib.runs.record import Record

Tolerances = Literal["loose", "tight"] | float

BIN_MS = 500
"""Two bins a second, whatever the frame rate of the video."""
BINS = 2 * 60 * 60 * 2
"""Of a half: two hours. All that is later falls into the last."""
STRIDE = 2 * BINS
"""From one half to the next, laid end to end so far apart that none reaches another."""
LOOSE_S = tuple(range(5, 61, 5))
TIGHT_S = tuple(range(1, 6))
THRESHOLDS = np.linspace(0, 1, 200)
"""Of confidence: predictions between two of them cannot be told apart."""
RECALL_LEVELS = np.arange(11) / 10
"""Not `linspace`, of which 0.3 is a little more: a recall of 3 in 10 must reach it."""
UNSHOWN_FACTOR = 17 / 13
"""4 of SoccerNet's 17 classes have no unshown events. The package multiplies whatever classes there
are, of loose and tight alone, and of no single class."""


class AveragePrecision(Record):
    """Average precision of the labels, and two means of it."""

    overall: float
    """The mean over all labels, as the package has it: one that is nowhere in the truth counts
    as 0."""
    present: float | None
    """The mean over labels that are in the truth, without any factor; none if none is."""
    per_label: dict[str, float]


class AverageMap(AveragePrecision):
    """The measure over a set of halves or videos, from 0 to 1."""

    tolerances_s: tuple[float, ...]
    """Whole width of what is near enough: 5 means at most 2.5 s before or after."""
    visible: AveragePrecision
    """Of events that the camera shows."""
    unshown: AveragePrecision
    """Of those that it does not; `overall` may exceed 1 (see `UNSHOWN_FACTOR`)."""


@dataclass(frozen=True)
class Marks:
    """What of one label is in which bin, over all halves, in the order of time."""

    positions: Numbers
    values: Values


def average_map(
    truth: Sequence[Sequence[Event]],
    predicted: Sequence[Sequence[Event]],
    labels: Sequence[str],
    tolerances: Tolerances,
) -> AverageMap:
    """Measure predictions as SoccerNet does.

    Args:
        truth: What happened, one sequence for each half of a game, or each video.
        predicted: What was found there, in the order of the file: the last in a bin wins.
        labels: That count. Events of others are left out, as the package leaves them out.
        tolerances: `loose` (5, 10, ... 60 s), `tight` (1, 2, ... 5 s), or one in seconds.

    Raises:
        KairosError: There are not as many halves predicted as true, no labels, or no such
            tolerances.
    """
    checked_labels(labels)
    widths_s = _widths_s(tolerances)
    if len(truth) != len(predicted):
        raise KairosError(
            f"the truth has {len(truth)} halves or videos and the predictions have "
            f"{len(predicted)}: give one sequence for each, empty where there is nothing"
        )
    true = _marks(truth, labels, lambda event: 1.0 if event.visibility == "visible" else -1.0)
    found = _marks(predicted, labels, attrgetter("confidence"))
    each = [_average_precisions(*pair, widths_s) for pair in zip(true, found, strict=True)]
    averages = _trapezoid(np.stack(each, axis=-1))
    factor = UNSHOWN_FACTOR if len(widths_s) > 1 else 1.0
    every = _part(averages[0], labels, [len(marks.values) > 0 for marks in true])
    return AverageMap(
        **dict(every),
        tolerances_s=widths_s,
        visible=_part(averages[1], labels, [bool((marks.values > 0).any()) for marks in true]),
        unshown=_part(
            averages[2], labels, [bool((marks.values < 0).any()) for marks in true], factor
        ),
    )


def checked_labels(labels: Sequence[str]) -> None:
    """See that there are labels to score.

    Raises:
        KairosError: There are none, or one is there twice.
    """
    if not labels:
        raise KairosError("there are no labels to score: name at least one")
    if len(set(labels)) < len(labels):
        twice = next(label for label in labels if list(labels).count(label) > 1)
        raise KairosError(f"the label '{twice}' is named twice: leave one out")


def _widths_s(tolerances: Tolerances) -> tuple[float, ...]:
    if tolerances == "loose":
        return LOOSE_S
    if tolerances == "tight":
        return TIGHT_S
    if isinstance(tolerances, str) or not 0 < tolerances < math.inf:
        raise KairosError(
            f"there is no tolerance {tolerances!r}: loose, tight, or seconds of more than 0"
        )
    return (float(tolerances),)


def _marks(
    halves: Sequence[Sequence[Event]], labels: Sequence[str], value: Callable[[Event], float]
) -> list[Marks]:
    """What is in which bin, for each label."""
    numbers = {label: number for number, label in enumerate(labels)}
    lines: list[int] = []
    times_s: list[float] = []
    given: list[float] = []
    for half, events in enumerate(halves):
        known = [event for event in events if event.label in numbers]
        lines += [numbers[event.label] * len(halves) + half for event in known]
        times_s += map(attrgetter("time_s"), known)
        given += map(value, known)
    # The later comes first, since `unique` keeps the first: the last in a bin wins.
    places: Numbers = np.array(lines[::-1], np.int64) * STRIDE
    places += _bins(np.array(times_s[::-1], np.float64))
    positions, kept = np.unique(places, return_index=True)
    values = np.array(given[::-1], np.float64)[kept]
    ends = np.searchsorted(positions, np.arange(1, len(labels)) * len(halves) * STRIDE)
    return [
        Marks(*both) for both in zip(np.split(positions, ends), np.split(values, ends), strict=True)
    ]


def _bins(times_s: Values) -> Numbers:
    """The bins of times, towards 0.

    Past two hours all falls into the last. The package takes a negative position for an index from
    the end; events of ours cannot be negative, and files that have such are refused.
    """
    bins = np.minimum(np.trunc(milliseconds(times_s) / BIN_MS), BINS - 1)
    return bins.astype(np.int64) % BINS


def _average_precisions(true: Marks, found: Marks, widths_s: Sequence[float]) -> Values:
    """Average precision of one label.

    Returns:
        For each tolerance that of all events, of visible and of unshown ones.
    """
    shown = _nearest(true, found)
    parts = np.stack([np.ones(len(shown), bool), shown > 0, shown < 0])
    sizes = np.array([len(true.values), (true.values > 0).sum(), (true.values < 0).sum()])
    passed = np.searchsorted(THRESHOLDS, found.values, side="right")
    predicted = _counted(passed, parts)
    right = np.stack([_counted(passed, parts & one) for one in _matched(true, found, widths_s)])
    precision = np.divide(right, predicted, out=np.zeros(right.shape), where=predicted > 0)
    sizes = sizes[:, np.newaxis]
    recall = np.divide(right, sizes, out=np.zeros(right.shape), where=sizes > 0)
    reached = recall[..., np.newaxis, :] >= RECALL_LEVELS[:, np.newaxis]
    best = np.where(reached, precision[..., np.newaxis, :], 0).max(axis=-1)
    return np.asarray(best.sum(axis=-1) / len(RECALL_LEVELS), np.float64)


def _nearest(true: Marks, found: Marks) -> Values:
    """For each prediction whether the event nearest to it is visible (1) or not (-1).

    This alone puts it among the visible or the unshown, even where it is matched to another event.
    Where the half has no event of the label, the package counts it as unshown.
    """
    if not len(true.positions):
        return np.full(len(found.positions), -1.0)
    between = (true.positions[:-1] + true.positions[1:]) // 2
    nearest = np.searchsorted(between, found.positions, side="right")
    same_half = true.positions[nearest] // STRIDE == found.positions // STRIDE
    return np.where(same_half, true.values[nearest], -1.0)


def _matched(true: Marks, found: Marks, widths_s: Sequence[float]) -> list[np.ndarray]:
    """For each tolerance which predictions are right.

    Events take turns in the order of time; each takes the most confident prediction near enough
    that is left, of equal ones the earliest. It does not ask which is nearest, nor whether another
    event could use it better.
    """
    reaches = [min(width_s * 1000 / BIN_MS / 2, BINS) for width_s in widths_s]
    positions = found.positions.astype(np.float64)
    events, predictions = near(true.positions.astype(np.float64), positions, max(reaches))
    order = np.lexsort((-found.values[predictions], events))
    events, predictions = events[order], predictions[order]
    apart = np.abs(true.positions[events] - found.positions[predictions])
    return [
        in_turn(events[close], predictions[close], len(true.positions), len(positions)) != NOBODY
        for close in (apart <= reach for reach in reaches)
    ]


def _counted(passed: Numbers, parts: np.ndarray) -> Numbers:
    """For each part how many of its predictions reach each threshold.

    Args:
        passed: Of each prediction, how many thresholds it reaches.
        parts: Which predictions are in it, a row for each part.
    """
    counts = [np.bincount(passed[part], minlength=len(THRESHOLDS) + 1) for part in parts]
    return np.cumsum(np.stack(counts)[:, ::-1], axis=1)[:, -2::-1]


def _trapezoid(values: Values) -> Values:
    """The average over tolerances, the first and the last of which weigh half."""
    if len(values) == 1:
        return np.asarray(values[0], np.float64)
    return np.asarray(((values[:-1] + values[1:]) / 2).mean(axis=0), np.float64)


def _part(
    values: Values, labels: Sequence[str], present: Sequence[bool], factor: float = 1.0
) -> AveragePrecision:
    there = values[np.array(present, bool)]
    return AveragePrecision(
        overall=float(values.mean()) * factor,
        present=float(there.mean()) if there.size else None,
        per_label={label: float(value) for label, value in zip(labels, values, strict=True)},
    )
