"""Events as WebVTT chapters: a player lists them and jumps to them.

https://www.w3.org/TR/webvtt1/#introduction-chapters: the title of a chapter is one line, and two
chapters lie one after the other or one within the other.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import groupby

from kairos_lib.events.entries import checked
from kairos_lib.events.matching import milliseconds
from kairos_lib.events.records import Event
from kairos_lib.subtitles import ONE_LINE, Cue, webvtt

MOMENT_S = 5.0
"""How long a chapter of an event without an end lasts."""


def text_of(events: Sequence[Event]) -> str:
    """The text of a file: a cue for each event, in the order of time.

    It ends with the event, after `MOMENT_S` if that has no end, and in any case where the next one
    begins; those that begin together end together where the last of them does.

    Raises:
        KairosError: An event cannot be written.
    """
    ordered = sorted(checked(events), key=_start_ms)
    moments = [(start_ms, list(together)) for start_ms, together in groupby(ordered, _start_ms)]
    next_ms = [*(start_ms for start_ms, _ in moments), math.inf][1:]
    cues = [
        Cue(start_ms / 1000, min(max(map(_end_ms, together)), before_ms) / 1000, _title(event))
        for (start_ms, together), before_ms in zip(moments, next_ms, strict=True)
        for event in together
    ]
    return webvtt(cues, line_characters=ONE_LINE)


def _start_ms(event: Event) -> float:
    return float(milliseconds([event.time_s])[0])


def _end_ms(event: Event) -> float:
    end_s = event.time_s + MOMENT_S if event.end_s is None else event.end_s
    return float(milliseconds([end_s])[0])


def _title(event: Event) -> str:
    team = f" ({event.team})" if event.team.strip() else ""
    details = f": {event.details}" if event.details.strip() else ""
    return f"{event.label}{team}{details}"
