"""From what was said of windows to events: when each happened, and how sure that is.

A window's start says little about when an event happened. All windows that found it hold its
moment, so that it lies in the stretch they share, and the middle of that is the best guess. A model
can be sure for no reason, so that an event's confidence is the mean, over all windows that hold its
moment, of how probable the model's words for it were; a window that is silent about it counts 0.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import fmean, median_low

from kairos_lib.events.records import Event, SpottedEvent, WindowAnswer
from kairos_lib.events.windows import Window
from kairos_lib.parameters.spotting import Spotting

DECIMALS = 4
"""Of a confidence: the last bits of a probability depend on the batch."""


def merged(answers: Iterable[WindowAnswer], spotting: Spotting) -> list[SpottedEvent]:
    """The events that windows found, in order of time.

    Greedy by confidence, then time, then label: whatever order the answers are in, or whoever put
    them together, the events are the same.

    Args:
        answers: Of all windows, those without an event included.
        spotting: The radius within which two predictions of a label are one event.
    """
    answered = sorted((a for a in answers if a.outcome != "failed"), key=lambda a: a.window)
    named = spotting.time_from == "answers"
    found: list[SpottedEvent] = []
    for label in dict.fromkeys(a.label for a in answered if a.outcome == "event"):
        votes = [a for a in answered if a.label == label and a.outcome == "event"]
        votes.sort(key=lambda a: (-strength(a), _moment_s(a, named), a.window))
        while votes:
            group = _group(votes, spotting.merge_radius_s, named)
            near_s = _moment_s(votes[0], named)
            votes = [
                a for a in votes if abs(_moment_s(a, named) - near_s) > spotting.merge_radius_s
            ]
            found.append(_event(group, answered, named))
    return _apart(found, spotting.merge_radius_s)


def strength(answer: WindowAnswer) -> float:
    """How probable a window's label is; 1 where nobody noted it."""
    return 1.0 if answer.probability is None else answer.probability


def _moment_s(answer: WindowAnswer, named: bool) -> float:
    """Where a window alone would put its event."""
    return answer.time_s if named and answer.time_s is not None else answer.middle_s


def _group(votes: Sequence[WindowAnswer], radius_s: float, named: bool) -> list[WindowAnswer]:
    """The first of some windows, and those after it that found the same event.

    Those that are near, as long as all of them share a stretch.
    """
    first = votes[0]
    group, start_s, end_s = [first], first.start_s, first.end_s
    for other in votes[1:]:
        shared = max(start_s, other.start_s), min(end_s, other.end_s)
        near = abs(_moment_s(other, named) - _moment_s(first, named)) <= radius_s
        if near and shared[0] < shared[1]:
            group.append(other)
            start_s, end_s = shared
    return group


def _event(
    group: Sequence[WindowAnswer], answered: Sequence[WindowAnswer], named: bool
) -> SpottedEvent:
    best = group[0]
    moments_s = [a.time_s for a in group if a.time_s is not None] if named else []
    start_s, end_s = max(a.start_s for a in group), min(a.end_s for a in group)
    time_s = median_low(moments_s) if moments_s else (start_s + end_s) / 2
    holding = [a for a in answered if a.holds(time_s)] or group
    sure = [strength(a) if a.label == best.label else 0.0 for a in holding]
    said = [a.said_confidence for a in group if a.said_confidence is not None]
    return SpottedEvent(
        label=best.label,
        time_s=round(time_s, 3),
        confidence=round(fmean(sure), DECIMALS),
        team=best.team,
        details=best.details,
        votes=len(group),
        windows=len(holding),
        said_confidence=round(fmean(said), DECIMALS) if said else None,
    )


def _apart(events: Iterable[SpottedEvent], radius_s: float) -> list[SpottedEvent]:
    """Events of which no two of one label are closer than the radius; the surer ones stay."""
    kept: list[SpottedEvent] = []
    for event in sorted(events, key=lambda e: (-e.confidence, e.time_s, e.label)):
        alike = (e for e in kept if e.label == event.label)
        if all(abs(e.time_s - event.time_s) > radius_s for e in alike):
            kept.append(event)
    return sorted(kept, key=lambda e: (e.time_s, e.label))


def perfect(truth: Iterable[Event], windows: Iterable[Window]) -> list[WindowAnswer]:
    """What a detector without fault would say of windows, one label each.

    Merged and scored, it is the most that these windows can reach.
    """
    events = sorted(truth, key=lambda event: event.time_s)
    answers = []
    for window in windows:
        seen = next((event for event in events if window.holds(event.time_s)), None)
        answers.append(
            WindowAnswer(
                window=window.number,
                start_s=window.start_s,
                end_s=window.end_s,
                outcome="event" if seen else "no event",
                label=seen.label if seen else "",
                time_s=seen.time_s if seen else None,
                probability=1.0 if seen else None,
            )
        )
    return answers
