"""Keeps videos that clients send, each once, named by a hash of its content."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import time
import uuid
from dataclasses import dataclass
from pathlib import Path, PurePath

from kairos_lib.errors import NO_ROOM
from kairos_lib.serve.api.problems import Problem
from kairos_lib.serve.api.setting import MIB

HASH_DIGITS = 32
"""Of a file's name: 128 bits, too many for anyone to find two videos of one name."""
SUFFIX = re.compile(r"\.[a-z0-9]{1,8}")
BEGUN = ".incoming-"
"""Prefix of files that are not whole yet."""
LEFT_S = 86_400
"""After this, a file that is not whole was left by a process that was killed."""


@dataclass(frozen=True)
class Stored:
    """A video that is kept."""

    path: Path
    sha256: str
    bytes: int


def suffix_of(name: str) -> str:
    """The ending of a file's name, if it can be one; decoders look at it."""
    suffix = PurePath(name.replace("\\", "/")).suffix.lower()
    return suffix if SUFFIX.fullmatch(suffix) else ""


def tidy(folder: Path) -> None:
    """Remove what was left half way long ago."""
    for path in folder.glob(f"{BEGUN}*"):
        if time.time() - path.stat().st_mtime > LEFT_S:
            path.unlink(missing_ok=True)


class Incoming:
    """A video that is being received: written and hashed as it comes."""

    def __init__(self, folder: Path, free_mib: int, declared: int = 0) -> None:
        """Begin one.

        Args:
            folder: Where videos are kept.
            free_mib: Free space to leave there.
            declared: How many bytes will come, if that is known.

        Raises:
            Problem: There is no room for it.
        """
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._free = free_mib * MIB
        self._has_room(declared)
        self._part = folder / f"{BEGUN}{uuid.uuid4().hex}"
        self._file = self._part.open("xb")
        self._hash = hashlib.sha256()
        self._bytes = 0

    def write(self, chunk: bytes) -> None:
        """Take what has come.

        Raises:
            Problem: There is no room for it.
        """
        self._has_room(len(chunk))
        try:
            self._file.write(chunk)
        except OSError as error:
            raise _full(error) from error
        self._hash.update(chunk)
        self._bytes += len(chunk)

    def keep(self, suffix: str) -> Stored:
        """Give it the name of its content, now that it is whole.

        Raises:
            Problem: Nothing has come, or there is no room for it.
        """
        if not self._bytes:
            raise Problem(400, "the body is empty: send the video's bytes", "empty")
        try:
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            raise _full(error) from error
        sha256 = self._hash.hexdigest()
        path = self._folder / f"{sha256[:HASH_DIGITS]}{suffix}"
        try:
            os.link(self._part, path)
        except FileExistsError:
            path.touch()  # The same content is here already.
        self.discard()
        return Stored(path, sha256, self._bytes)

    def discard(self) -> None:
        """Remove what was written under a name of no content; does nothing the second time."""
        self._file.close()
        self._part.unlink(missing_ok=True)

    def _has_room(self, coming: int) -> None:
        if shutil.disk_usage(self._folder).free - coming < self._free:
            raise Problem(507, "the service's disk is full: try again later")


def _full(error: OSError) -> Exception:
    full = error.errno in NO_ROOM
    return Problem(507, "the service's disk is full: try again later") if full else error


def store(folder: Path, free_mib: int, content: bytes, suffix: str) -> Stored:
    """Keep a video that is whole already.

    Raises:
        Problem: It is empty, or there is no room for it.
    """
    incoming = Incoming(folder, free_mib, len(content))
    try:
        incoming.write(content)
        return incoming.keep(suffix)
    finally:
        incoming.discard()
