"""Files that are written atomically: a reader sees all of them or nothing."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from kairos_lib.errors import KairosError, room_for
from kairos_lib.runs.record import Record

R = TypeVar("R", bound=Record)


@contextmanager
def replacing(path: Path, durable: bool = True) -> Iterator[Any]:
    """A file to write bytes to, which replaces the one at a path atomically when it is complete."""
    # Not `tempfile`: only the owner could read its files, but results are shared.
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    with room_for(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with temporary.open("xb") as file:
                yield file
                file.flush()
                if durable:
                    os.fsync(file.fileno())
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise


def write_json(path: Path, value: Any, durable: bool = True) -> None:
    """Write a JSON file atomically: a reader sees the old one or the new one, never a part."""
    with replacing(path, durable) as file:
        file.write(json.dumps(value, indent=2, ensure_ascii=False).encode() + b"\n")


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file atomically: a reader sees the old one or the new one, never a part."""
    with replacing(path) as file:
        file.write(content)


def write_record(path: Path, record: Record) -> None:
    """Write one record as a JSON file, atomically."""
    write_json(path, {**record.schema_field(), **record.model_dump(mode="json")})


def read_record(path: Path, kind: type[R]) -> R | None:
    """Read one record from a JSON file; None if there is no such file.

    Raises:
        KairosError: The file was changed by hand and is no longer a valid record.
    """
    try:
        return kind.read(path.read_bytes())
    except FileNotFoundError:
        return None
    except ValidationError as error:
        raise KairosError(f"{path}: not a valid {kind.__name__}: run again with FRESH=1") from error
