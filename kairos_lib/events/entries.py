"""One event of a file that somebody else wrote: what it may say, and the line that says what not.

Knows nothing of file formats.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping

from pydantic import ValidationError

from kairos_lib.errors import KairosError, closest
from kairos_lib.events.records import Event
from kairos_lib.names import quoted, showable

VISIBILITIES = ("visible", "not shown")
TEXTS = ("label", "team", "details", "visibility")


def event_of(values: Mapping[str, object], labels: Collection[str] | None, where: str) -> Event:
    """An event of values as a file has them.

    Args:
        values: By the names of the record's fields; what is not there has its default.
        labels: That may be; any if none are given.
        where: File and line or entry, for the error line.

    Raises:
        KairosError: There can be no such event.
    """
    told = {
        name: text(value, name, where) if name in TEXTS else number(value, name, where)
        for name, value in values.items()
    }
    for name in ("label", "time_s"):
        if name not in told:
            raise KairosError(f"{where}: no {name}: every event needs one")
    if told.get("visibility", VISIBILITIES[0]) not in VISIBILITIES:
        known = " or ".join(VISIBILITIES)
        raise KairosError(f"{where}: visibility {quoted(told['visibility'])} must be {known}")
    try:
        event = Event.model_validate(told)
    except ValidationError:  # `wrong` says more clearly what it is.
        event = Event.model_construct(**told)  # type: ignore[arg-type]
    if why := wrong(event):
        raise KairosError(f"{where}: {why}")
    if labels is not None and event.label not in labels:
        near = closest(event.label, labels)
        raise KairosError(f"{where}: unknown label {quoted(event.label)}: {near}")
    return event


def wrong(event: Event) -> str:
    """What a file cannot say of an event; empty where all is well."""
    if not event.label.strip():
        return "the label is empty: every event needs one"
    for name in ("label", "team", "details"):
        if not showable(value := getattr(event, name)):
            return f"{name} {quoted(value)} has characters that cannot be shown: remove them"
    if not (math.isfinite(event.time_s) and event.time_s >= 0):
        return f"the time {event.time_s} s is not in the video: give seconds from its start"
    if event.end_s is not None and not event.time_s <= event.end_s < math.inf:
        return f"it begins at {event.time_s} s and cannot end at {event.end_s} s"
    if not 0 <= event.confidence <= 1:
        return f"confidence {event.confidence} must be from 0 to 1"
    return ""


def checked(events: Iterable[Event]) -> tuple[Event, ...]:
    """Events that can be written so that they can be read again.

    Raises:
        KairosError: One cannot.
    """
    known = tuple(events)
    for place, event in enumerate(known, start=1):
        if why := wrong(event):
            raise KairosError(f"event {place} cannot be written: {why}")
    return known


def text(value: object, name: str, where: str) -> str:
    """A text.

    Raises:
        KairosError: It is none.
    """
    if not isinstance(value, str):
        raise KairosError(f"{where}: {name} {quoted(value)} must be a text")
    return value


def number(value: object, name: str, where: str) -> float:
    """A number, or a text that is one.

    Raises:
        KairosError: It is neither, or has no end.
    """
    try:
        # Python would take True and 1_000 for numbers, and no other program would.
        found = math.nan if value is True or value is False or "_" in str(value) else float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        found = math.nan
    if not math.isfinite(found):
        raise KairosError(f"{where}: {name} {quoted(value)} must be a number, such as 12.5")
    return found
