"""Events as CSV (RFC 4180): a header, then a line for each; columns are those of the record.

Text is written as it is, quoted where it must be. A spreadsheet may take a cell that begins with
`=` for a formula: import its column as text.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Collection, Iterator, Sequence

from kairos_lib.errors import KairosError, closest
from kairos_lib.events.entries import checked, event_of
from kairos_lib.events.records import Event
from kairos_lib.names import quoted

NEEDED = ("label", "time_s")
COLUMNS = (*NEEDED, "end_s", "confidence", "team", "details", "visibility")


def parse(content: str, shown: str, labels: Collection[str] | None) -> Iterator[Event]:
    """The events of a file, in its order.

    Args:
        content: The file.
        shown: What it is called in an error line.
        labels: That may be; any if none are given.

    Raises:
        KairosError: It is no such file, or a line of it no event.
    """
    lines = _lines(content, shown)
    header = [name.strip() for name in next(lines, (0, []))[1]]
    _check(header, f"{shown}, line 1")
    for number, cells in lines:
        where = f"{shown}, line {number}"
        if not cells:
            continue
        if len(cells) != len(header):
            raise KairosError(
                f"{where}: has {len(cells)} cells and the header {len(header)}: correct the line, "
                'and put text with commas in "quotes"'
            )
        told = dict(zip(header, cells, strict=True))
        # What is needed is told to be empty; what is not has its default.
        yield event_of({n: v for n, v in told.items() if v or n in NEEDED}, labels, where)


def _lines(content: str, shown: str) -> Iterator[tuple[int, list[str]]]:
    """The cells of each line with its number, the first of those that it goes over."""
    reader = csv.reader(io.StringIO(content, newline=""), strict=True)
    number = 1
    try:
        for cells in reader:
            yield number, cells
            number = reader.line_num + 1
    except csv.Error as error:
        raise KairosError(f"{shown}, line {number}: not valid CSV: {error}") from error


def _check(header: list[str], where: str) -> None:
    for name in NEEDED:
        if name not in header:
            raise KairosError(
                f"{where}: no column '{name}': the first line must name the columns, with commas "
                f"between them ({', '.join(COLUMNS)})"
            )
    for name in header:
        if name not in COLUMNS:
            near = closest(name, COLUMNS, list_known=True)
            raise KairosError(
                f"{where}: unknown column {quoted(name)}: {near}; rename or remove it"
            )
        if header.count(name) > 1:
            raise KairosError(f"{where}: the column '{name}' is there twice: remove one")


def text_of(events: Sequence[Event]) -> str:
    """The text of a file with all columns.

    Raises:
        KairosError: An event cannot be written.
    """
    file = io.StringIO(newline="")
    writer = csv.writer(file)
    writer.writerow(COLUMNS)
    for event in checked(events):
        values = (getattr(event, name) for name in COLUMNS)
        writer.writerow(["" if value is None else value for value in values])
    return file.getvalue()
