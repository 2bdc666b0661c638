"""SoccerNet's JSON: `annotations` of `Labels-v2.json`, or `predictions` of `results_spotting.json`.

Times are whole milliseconds from the start of a half (`position`), or minutes and seconds of it
(`gameTime`). Fields of our records that SoccerNet does not know, `end_position` and `details`, are
added where they say something; its package passes over them. Format:
https://github.com/SoccerNet/sn-spotting
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Sequence
from typing import Any, Literal

from kairos_lib.errors import KairosError
from kairos_lib.events.entries import checked, event_of, number, text
from kairos_lib.events.matching import milliseconds
from kairos_lib.events.records import Event
from kairos_lib.names import quoted

Kind = Literal["annotations", "predictions"]
KINDS: tuple[Kind, ...] = ("annotations", "predictions")
GAME_TIME = re.compile(r"(?:([0-9]+) - )?([0-9]{1,6}):([0-5][0-9])")
FIRST, SECOND = 1, 2


def parse(
    content: str, shown: str, labels: Collection[str] | None
) -> Iterator[tuple[int | None, Event]]:
    """The events of a file, in its order, with their halves where it says them.

    Args:
        content: The file.
        shown: What it is called in an error line.
        labels: That may be; any if none are given.

    Raises:
        KairosError: It is no such file, or an entry of it no event.
    """
    kind, entries = _entries(content, shown)
    silent = second = 0
    for place, entry in enumerate(entries, start=1):
        where = f"{shown}, entry {place} of {kind}"
        if not isinstance(entry, dict):
            raise KairosError(f"{where}: {quoted(entry)} must be an object with label and position")
        half, seconds_s = _game_time(entry, where)
        silent = silent or (0 if half else place)
        second = second or (place if half == SECOND else 0)
        if silent and second:
            raise KairosError(
                f"{shown}: entry {second} of {kind} is of half 2, but entry {silent} says no half: "
                'say it of all ("half", or gameTime "2 - 03:12"), or of none'
            )
        values = {name: entry[name] for name in _FIELDS if name in entry}
        if "position" in entry:
            values["time_s"] = _position_s(entry, "position", where)
        elif seconds_s is not None:
            values["time_s"] = seconds_s
        else:
            raise KairosError(f"{where}: no position (milliseconds) and no gameTime: give one")
        if "end_position" in entry:
            values["end_s"] = _position_s(entry, "end_position", where)
        yield half, event_of(values, labels, where)


_FIELDS = ("label", "confidence", "team", "details", "visibility")


def _entries(content: str, shown: str) -> tuple[Kind, list[Any]]:
    try:
        data = json.loads(content)
    except json.JSONDecodeError as error:
        raise KairosError(f"{shown}, line {error.lineno}: not valid JSON: {error.msg}") from error
    except ValueError as error:  # A number of thousands of digits.
        raise KairosError(f"{shown}: not valid JSON: {error}") from error
    found = [kind for kind in KINDS if isinstance(data, dict) and kind in data]
    if len(found) != 1:
        has = "both" if found else "neither"
        raise KairosError(
            f"{shown}: has {has} of 'annotations' and 'predictions': it must be an object with one "
            "of these lists, as SoccerNet's Labels-v2.json or results_spotting.json"
        )
    if not isinstance(data[found[0]], list):
        raise KairosError(f"{shown}: '{found[0]}' must be a list of events")
    return found[0], data[found[0]]


def _game_time(entry: dict[str, Any], where: str) -> tuple[int | None, float | None]:
    """The half and the seconds of it, as far as an entry says them."""
    halves: list[float] = []
    seconds_s = None
    if "gameTime" in entry:
        parts = GAME_TIME.fullmatch(text(entry["gameTime"], "gameTime", where))
        if not parts:
            told = quoted(entry["gameTime"])
            raise KairosError(f"{where}: gameTime {told} must be as '1 - 03:12' or '03:12'")
        halves += [float(parts[1])] if parts[1] else []
        seconds_s = 60.0 * int(parts[2]) + int(parts[3])
    if "half" in entry:
        halves.append(number(entry["half"], "half", where))
    if any(half not in (FIRST, SECOND) for half in halves):
        raise KairosError(f"{where}: half {quoted(entry.get('half', halves[0]))} must be 1 or 2")
    if len(set(halves)) > 1:
        raise KairosError(f"{where}: gameTime and half name different halves: correct one")
    return (int(halves[0]) if halves else None), seconds_s


def _position_s(entry: dict[str, Any], name: str, where: str) -> float:
    position_ms = number(entry[name], name, where)
    if position_ms != int(position_ms):
        told = quoted(entry[name])
        raise KairosError(f"{where}: {name} {told} must be whole milliseconds")
    if position_ms < 0:
        raise KairosError(
            f"{where}: {name} {quoted(entry[name])} is before the start: give milliseconds of 0 or "
            "more (SoccerNet's package would count it from the end)"
        )
    return position_ms / 1000


def text_of(events: Sequence[Event], kind: Kind, second_half_s: float | None) -> str:
    """The text of a file.

    Args:
        events: In any order, which is kept: of predictions in one half second, the last counts.
        kind: Whether they are true or predicted.
        second_half_s: Where the second half begins; without it all are of the first.

    Raises:
        KairosError: One cannot be written.
    """
    entries = [_entry(event, kind, second_half_s) for event in checked(events)]
    lines = ",\n".join(json.dumps(entry, ensure_ascii=False) for entry in entries)
    return f'{{"{kind}": [\n{lines}\n]}}\n' if entries else f'{{"{kind}": []}}\n'


def _entry(event: Event, kind: Kind, second_half_s: float | None) -> dict[str, Any]:
    start_ms, end_ms, second_ms = (
        int(milliseconds([time_s or 0.0])[0])
        for time_s in (event.time_s, event.end_s, second_half_s)
    )
    half = SECOND if second_half_s is not None and start_ms >= second_ms else FIRST
    begin_ms = second_ms if half == SECOND else 0
    seconds = (start_ms - begin_ms) // 1000
    predicted = kind == "predictions"
    values: list[tuple[str, Any, bool]] = [
        ("gameTime", f"{half} - {seconds // 60:02d}:{seconds % 60:02d}", True),
        ("label", event.label, True),
        ("position", str(start_ms - begin_ms), True),
        ("half", str(half), predicted),
        ("confidence", event.confidence, predicted or event.confidence != 1),
        ("team", event.team, bool(event.team)),
        ("visibility", event.visibility, not predicted or event.visibility != "visible"),
        ("end_position", str(end_ms - begin_ms), event.end_s is not None),
        ("details", event.details, bool(event.details)),
    ]
    return {name: value for name, value, wanted in values if wanted}
