"""Files of events: SoccerNet JSON and CSV, read and written, and WebVTT chapters, written.

A file is read whole or refused: what is wrong is one line with the file and the entry, and nothing
is left out.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

from kairos_lib.errors import KairosError
from kairos_lib.events import chapters, event_csv, soccernet_json
from kairos_lib.events.matching import milliseconds
from kairos_lib.events.records import Event
from kairos_lib.events.soccernet_json import FIRST, SECOND, Kind
from kairos_lib.runs.files import write_bytes

LARGEST_BYTES = 32 * 2**20
"""Of a file: a game with a prediction of each of 17 classes in every half second has 26 MB."""


def read_events(
    path: Path, labels: Collection[str] | None = None, second_half_s: float | None = None
) -> tuple[Event, ...]:
    """The events of one video, in the order of the file.

    Args:
        path: A file called `.json` (SoccerNet's) or `.csv`.
        labels: That may be; any if none are given.
        second_half_s: Where the second half begins in the video, for a file with halves. Times of
            that half are counted from there.

    Raises:
        KairosError: It cannot be read, is no such file, or tells of no such events.
    """
    found = []
    for place, (half, event) in enumerate(_read(path, labels), start=1):
        if second_half_s is None and half == SECOND:
            raise KairosError(
                f"{path}, entry {place}: is of half 2: say where that begins in the video "
                "(second_half_s), or read the halves one by one"
            )
        if second_half_s is not None and half == FIRST and event.time_s >= second_half_s:
            raise KairosError(
                f"{path}, entry {place}: of half 1, is at {event.time_s} s, when the second half "
                f"has begun ({second_half_s} s): correct that, such as to the length of the first"
            )
        found.append(_later(event, second_half_s or 0.0) if half == SECOND else event)
    return tuple(found)


def read_halves(
    path: Path, labels: Collection[str] | None = None
) -> tuple[tuple[Event, ...], tuple[Event, ...]]:
    """The events of both halves, each timed from its start, as SoccerNet scores them.

    Args:
        path: A file called `.json` (SoccerNet's) or `.csv`. In one without halves all is in the
            first.
        labels: That may be; any if none are given.

    Raises:
        KairosError: It cannot be read, is no such file, or tells of no such events.
    """
    found = _read(path, labels)
    return (
        tuple(event for half, event in found if half != SECOND),
        tuple(event for half, event in found if half == SECOND),
    )


def write_soccernet(
    path: Path,
    events: Sequence[Event],
    kind: Kind = "predictions",
    second_half_s: float | None = None,
) -> None:
    """Write SoccerNet's JSON. Times are rounded to milliseconds.

    Args:
        path: Of the file.
        events: Of one video.
        kind: Whether they are predicted or true (`annotations`).
        second_half_s: Where the second half begins in the video; without it all is the first.

    Raises:
        KairosError: An event cannot be written, or there is no room.
    """
    write_bytes(path, soccernet_json.text_of(events, kind, second_half_s).encode())


def write_csv(path: Path, events: Sequence[Event]) -> None:
    """Write CSV with all that the records say.

    Raises:
        KairosError: An event cannot be written, or there is no room.
    """
    write_bytes(path, event_csv.text_of(events).encode())


def write_chapters(path: Path, events: Sequence[Event]) -> None:
    """Write WebVTT chapters, a cue for each event.

    Raises:
        KairosError: An event cannot be written, or there is no room.
    """
    write_bytes(path, chapters.text_of(events).encode())


def _read(path: Path, labels: Collection[str] | None) -> list[tuple[int | None, Event]]:
    ending = path.suffix.lower()
    if ending not in (".json", ".csv"):
        raise KairosError(f"{path}: no file of events: its name must end in .json or .csv")
    content = _content(path)
    if ending == ".json":
        try:
            return list(soccernet_json.parse(content, str(path), labels))
        except RecursionError as error:
            raise KairosError(f"{path}: not SoccerNet's JSON: lists too deep in lists") from error
    return [(None, event) for event in event_csv.parse(content, str(path), labels)]


def _content(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST_BYTES + 1)
        if len(content) > LARGEST_BYTES:
            raise KairosError(
                f"{path}: holds more than {LARGEST_BYTES:,} bytes: write a file for each video"
            )
        return content.decode("utf-8-sig")  # Spreadsheets write a mark in front.
    except UnicodeDecodeError as error:
        raise KairosError(f"{path}: not text in UTF-8: save it as such") from error
    except (OSError, ValueError) as error:
        raise KairosError(f"{path}: cannot be read ({error})") from error


def _later(event: Event, by_s: float) -> Event:
    """An event so much later, to the millisecond."""
    by_ms = milliseconds([by_s])[0]
    times_s = (event.time_s, event.time_s if event.end_s is None else event.end_s)
    start_s, end_s = ((milliseconds(times_s) + by_ms) / 1000).tolist()
    return event.model_copy(
        update={"time_s": start_s, "end_s": None if event.end_s is None else end_s}
    )
