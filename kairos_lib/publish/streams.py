"""JSON files of any length, written record by record and moved into place when complete."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from kairos_lib.runs.files import replacing
from kairos_lib.runs.record import Record


def write_object(
    path: Path, head: Mapping[str, Record | str], lists: Mapping[str, Iterable[Record]]
) -> dict[str, int]:
    """Write one JSON object; memory does not grow with its lists.

    Args:
        path: The file to write.
        head: Its first members.
        lists: The others, each an array with one line for each record.

    Returns:
        The number of records in each list.
    """
    counts = dict.fromkeys(lists, 0)
    with replacing(path) as file:
        between = b"{"
        for name, value in head.items():
            file.write(between + f"{_json(name)}: {_json(value)}".encode())
            between = b",\n"
        for name, records in lists.items():
            file.write(between + f"{_json(name)}: [".encode())
            between = b"\n"
            for record in records:
                file.write(between + _json(record).encode())
                between = b",\n"
                counts[name] += 1
            file.write(b"\n]")
            between = b",\n"
        file.write(b"}\n")
    return counts


def _json(value: Record | str) -> str:
    return value.model_dump_json() if isinstance(value, Record) else json.dumps(value)
