"""Permanent store of paid transcripts: one file for each chunk of audio.

Stored outside the run folders, so that a run that starts from scratch does not pay again.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock
from pydantic import Field

from kairos_lib.errors import KairosError
from kairos_lib.runs.files import read_record, write_record
from kairos_lib.runs.record import Record
from kairos_lib.runs.run import key_of

FORMAT = 1
"""Raised whenever requests, or the storage of answers, change."""


class Line(Record):
    """A part of speech, in seconds from the chunk's start."""

    start_s: float = Field(ge=0, allow_inf_nan=False)
    end_s: float = Field(ge=0, allow_inf_nan=False)
    text: str


class Transcript(Record):
    """A service's answer for a chunk."""

    engine: str
    model: str
    language: str | None
    samples_sha256: str
    lines: tuple[Line, ...]


class Store:
    """The transcripts of one engine, model and language; the folder also holds others."""

    def __init__(self, folder: Path, engine: str, model: str, language: str | None) -> None:
        self._folder = folder
        self._asked = {"engine": engine, "model": model, "language": language}

    def get(self, samples_sha256: str) -> tuple[Line, ...] | None:
        """The answer for these samples; None if there is none yet.

        Raises:
            KairosError: The file was changed by hand: Kairos writes it atomically.
        """
        path = self._path(samples_sha256)
        try:
            known = read_record(path, Transcript)
        except KairosError:
            raise KairosError(
                f"{path} is damaged: restore it, or delete it to pay for that chunk again"
            ) from None
        return known.lines if known else None

    def put(self, samples_sha256: str, lines: tuple[Line, ...]) -> None:
        """Store an answer; it is on disk when this returns."""
        kept = Transcript(**self._asked, samples_sha256=samples_sha256, lines=lines)
        write_record(self._path(samples_sha256), kept)

    @contextmanager
    def asking(self, samples_sha256: str) -> Iterator[None]:
        """Make sure that only one process asks about these samples."""
        self._folder.mkdir(parents=True, exist_ok=True)
        with FileLock(self._path(samples_sha256).with_suffix(".lock")):
            yield

    def _path(self, samples_sha256: str) -> Path:
        key = key_of({**self._asked, "samples_sha256": samples_sha256, "format": FORMAT})
        return self._folder / f"{key}.json"
