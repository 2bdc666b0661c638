"""Append-only journals, in JSON Lines."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Generic

from pydantic import ValidationError

from kairos_lib.errors import KairosError, room_for
from kairos_lib.runs.files import R, replacing


class Journal(Generic[R]):
    """An append-only JSON Lines file of one kind of record.

    A line is written whole and flushed at once. Only the last line can be incomplete, if its writer
    was killed; it is cut off before the next one is written.
    """

    def __init__(self, path: Path, kind: type[R]) -> None:
        self.path = path
        self.kind = kind

    def repair(self) -> None:
        """Cut off an incomplete last line. Only the run's one writer may call this."""
        if not self.path.exists():
            return
        with self.path.open("rb+") as file:
            size = file.seek(0, os.SEEK_END)
            keep = size
            while keep > 0:
                step = min(keep, 65536)
                file.seek(keep - step)
                end = file.read(step).rfind(b"\n")
                if end >= 0:
                    keep = keep - step + end + 1
                    break
                keep -= step
            if keep != size:
                file.truncate(keep)

    def append(self, record: R) -> None:
        """Write one record and hand it to the operating system: all of it, or nothing."""
        line = memoryview(record.written() + b"\n")
        with room_for(self.path):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("ab", buffering=0) as file:
                size = file.seek(0, os.SEEK_END)
                try:
                    while line:
                        line = line[file.write(line) :]
                except OSError:
                    file.truncate(size)  # The next record must not be appended to half a line.
                    raise

    def __iter__(self) -> Iterator[R]:
        """Read record by record; memory does not grow with the file.

        Raises:
            KairosError: A complete line is not a valid record: the file was changed by hand.
        """
        for _, record in self.placed():
            yield record

    def placed(self) -> Iterator[tuple[int, R]]:
        """Each record with its position in the file, for `at`."""
        if not self.path.exists():
            return
        place = 0
        with self.path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                if not line.endswith(b"\n"):
                    return
                try:
                    yield place, self.kind.read(line)
                except ValidationError as error:
                    raise KairosError(
                        f"{self.path}, line {number}: not a valid {self.kind.__name__}: "
                        "run again with FRESH=1"
                    ) from error
                place += len(line)

    def at(self, places: Iterable[int]) -> list[R]:
        """The records at given positions in the file."""
        found = []
        with self.path.open("rb") as file:
            for place in places:
                file.seek(place)
                found.append(self.kind.read(file.readline()))
        return found

    def write_all(self, records: Iterator[R]) -> int:
        """Replace the whole file atomically, so that a reader sees all of it or nothing.

        Returns:
            The number of records.
        """
        count = 0
        with replacing(self.path) as file:
            for record in records:
                file.write(record.written() + b"\n")
                count += 1
        return count
