"""Precision, recall and F1 of predicted events, each matched to one true event at most.

A measure of our own beside SoccerNet's (`average_map.py`): it says in counts what was found, missed
and mistaken for what. Times are compared to the millisecond.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from pydantic import computed_field

from kairos_lib.errors import KairosError
from kairos_lib.events.average_map import checked_labels
from kairos_lib.events.matching import NOBODY, Numbers, Values, in_turn, milliseconds, near
from kairos_lib.events.records import Event
from kairos_lib.runs.record import Record


class Counts(Record):
    """How many there were, and how many of them were right."""

    true: int
    predicted: int
    true_positives: int

    @computed_field  # type: ignore[prop-decorator]
    @property
    def precision(self) -> float | None:
        """Share of predictions that are right; none where nothing was predicted."""
        return _share(self.true_positives, self.predicted)

    @computed_field  # type: ignore[prop-decorator]
    @property
    def recall(self) -> float | None:
        """Share of events that were found; none where nothing happened."""
        return _share(self.true_positives, self.true)

    @computed_field  # type: ignore[prop-decorator]
    @property
    def f1(self) -> float | None:
        """Harmonic mean of both; 0 where only one is known, none where neither is."""
        return _share(2 * self.true_positives, self.true + self.predicted)


class CurvePoint(Record):
    """What precision and recall would be if all that is less confident were left out."""

    confidence: float
    precision: float
    recall: float


class LabelScores(Counts):
    """Of one label."""

    label: str
    missed: int
    """Events that no prediction of any label fell on."""
    spurious: int
    """Predictions that fell on no event of any label."""
    curve: tuple[CurvePoint, ...]
    """From the most confident on; empty where nothing happened or nothing was predicted."""


class Confused(Record):
    """Events of one label on which predictions of another fell."""

    true: str
    predicted: str
    count: int


class Scores(Record):
    """Of all labels, over one video or several."""

    tolerance_s: float
    """How far before or after its event a prediction may be: half of what SoccerNet calls
    tolerance."""
    labels: tuple[LabelScores, ...]
    micro: Counts
    """Of all events together: frequent labels count for more."""
    macro_f1: float | None
    """Mean of F1 over labels that happened; none where nothing did."""
    confused: tuple[Confused, ...]
    """The most frequent first."""

    def of(self, label: str) -> LabelScores:
        """Those of one label."""
        return next(scores for scores in self.labels if scores.label == label)


def score(
    truth: Sequence[Event], predicted: Sequence[Event], labels: Sequence[str], tolerance_s: float
) -> Scores:
    """Score predictions over one video.

    Predictions take turns, the most confident first, of equal ones the earliest; each takes the
    nearest event of its label that is left. Then those without one take the nearest event of any
    label that is left: these are confused. So each prediction is right, confused or spurious, and
    each event found, confused or missed.

    Args:
        truth: What happened.
        predicted: What was found.
        labels: That count; events of others are left out.
        tolerance_s: How far before or after an event a prediction of it may be.

    Raises:
        KairosError: There are no labels, or no such tolerance.
    """
    return score_videos([truth], [predicted], labels, tolerance_s)


def score_videos(
    truth: Sequence[Sequence[Event]],
    predicted: Sequence[Sequence[Event]],
    labels: Sequence[str],
    tolerance_s: float,
) -> Scores:
    """Score predictions over several videos, as if they were one: see `score`.

    Args:
        truth: What happened, one sequence for each video.
        predicted: What was found there.
        labels: That count.
        tolerance_s: How far before or after an event a prediction of it may be.

    Raises:
        KairosError: There are not as many videos predicted as true, no labels, or no such
            tolerance.
    """
    checked_labels(labels)
    if not 0 <= tolerance_s < math.inf:
        raise KairosError(f"there is no tolerance {tolerance_s!r}: give seconds, 0 or more")
    if len(truth) != len(predicted):
        raise KairosError(
            f"the truth has {len(truth)} videos and the predictions have {len(predicted)}: "
            "give one sequence for each, empty where there is nothing"
        )
    judged = [
        _judged(*both, labels, tolerance_s) for both in zip(truth, predicted, strict=True)
    ] or [_judged([], [], labels, tolerance_s)]
    true = np.concatenate([each.true for each in judged])
    fell_on = np.concatenate([each.fell_on for each in judged])
    found = np.concatenate([each.predicted for each in judged])
    confidences = np.concatenate([each.confidences for each in judged])
    missed = np.concatenate([each.missed for each in judged])
    each_label = tuple(
        _of_label(
            label,
            int((true == number).sum()),
            fell_on[found == number] == number,
            confidences[found == number],
            int((missed == number).sum()),
            int((fell_on[found == number] == NOBODY).sum()),
        )
        for number, label in enumerate(labels)
    )
    present = [one.f1 for one in each_label if one.true and one.f1 is not None]
    return Scores(
        tolerance_s=tolerance_s,
        labels=each_label,
        micro=Counts(
            true=len(true),
            predicted=len(found),
            true_positives=sum(one.true_positives for one in each_label),
        ),
        macro_f1=sum(present) / len(present) if present else None,
        confused=_confused(fell_on, found, labels),
    )


@dataclass(frozen=True)
class _Judged:
    """What became of the events and predictions of one video; labels by their numbers."""

    true: Numbers
    missed: Numbers
    predicted: Numbers
    confidences: Values
    fell_on: Numbers
    """Of each prediction the label of its event, or `NOBODY`."""


def _judged(
    truth: Sequence[Event], predicted: Sequence[Event], labels: Sequence[str], tolerance_s: float
) -> _Judged:
    numbers = {label: number for number, label in enumerate(labels)}
    truth = sorted((e for e in truth if e.label in numbers), key=lambda event: event.time_s)
    # In the order of their turns.
    predicted = sorted(
        (e for e in predicted if e.label in numbers), key=lambda e: (-e.confidence, e.time_s)
    )
    true = np.array([numbers[event.label] for event in truth], np.int64)
    found = np.array([numbers[event.label] for event in predicted], np.int64)
    true_ms = milliseconds([event.time_s for event in truth])
    found_ms = milliseconds([event.time_s for event in predicted])
    turns, events = near(found_ms, true_ms, round(tolerance_s * 1000))
    order = np.lexsort((np.abs(found_ms[turns] - true_ms[events]), turns))
    turns, events = turns[order], events[order]
    same = found[turns] == true[events]
    taken_by = in_turn(turns[same], events[same], len(found), len(true))
    right = np.zeros(len(found), bool)
    right[taken_by[taken_by != NOBODY]] = True
    left = ~right[turns] & (taken_by[events] == NOBODY)
    mistaken_by = in_turn(turns[left], events[left], len(found), len(true))
    fell_on = np.where(right, found, NOBODY)
    mistaken = mistaken_by != NOBODY
    fell_on[mistaken_by[mistaken]] = true[mistaken]
    return _Judged(
        true,
        true[(taken_by == NOBODY) & ~mistaken],
        found,
        np.array([event.confidence for event in predicted], np.float64),
        fell_on,
    )


def _of_label(
    label: str, true: int, right: np.ndarray, confidences: Values, missed: int, spurious: int
) -> LabelScores:
    return LabelScores(
        label=label,
        true=true,
        predicted=len(right),
        true_positives=int(right.sum()),
        missed=missed,
        spurious=spurious,
        curve=_curve(true, right, confidences) if true else (),
    )


def _curve(true: int, right: np.ndarray, confidences: Values) -> tuple[CurvePoint, ...]:
    """A point for each confidence there is.

    The less confident take their turns later, so that leaving them out changes no other's event.
    """
    order = np.argsort(-confidences, kind="stable")
    confidences, found = confidences[order], np.cumsum(right[order])
    last = np.flatnonzero(np.diff(confidences, append=-1))
    return tuple(
        CurvePoint(
            confidence=float(confidences[at]),
            precision=float(found[at] / (at + 1)),
            recall=float(found[at] / true),
        )
        for at in last
    )


def _confused(fell_on: Numbers, found: Numbers, labels: Sequence[str]) -> tuple[Confused, ...]:
    wrong = (fell_on != NOBODY) & (fell_on != found)
    pairs = Counter(zip(fell_on[wrong].tolist(), found[wrong].tolist(), strict=True))
    return tuple(
        Confused(true=labels[true], predicted=labels[predicted], count=count)
        for (true, predicted), count in sorted(pairs.items(), key=lambda each: (-each[1], each[0]))
    )


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None
