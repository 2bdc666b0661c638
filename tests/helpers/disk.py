"""A disk that is full from some moment on, for what is written into one folder."""

from __future__ import annotations

import builtins
import errno
import io
import os
from pathlib import Path
from typing import Any

import pytest


class Disk:
    """Counts writes, and refuses them as a full disk does.

    Args:
        folder: Only what lies in it is counted and refused.
        monkeypatch: Puts it in the place of the system's own way to open files.
    """

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._folder = f"{folder}{os.sep}"
        self.names: list[str] = []
        """What was written to, in order, relative to the folder."""
        self.room: int | None = None
        """Writes that still fit; none for any number."""
        self.refused = ""
        """No write to a file with this in its name fits."""
        opened = io.open

        def open_(file: Any, mode: str = "r", *arguments: Any, **named: Any) -> Any:
            made = opened(file, mode, *arguments, **named)
            if isinstance(file, int) or not set(mode) & set("wax+"):
                return made
            path = os.fspath(file)
            return _File(made, self, path) if path.startswith(self._folder) else made

        monkeypatch.setattr(io, "open", open_)
        monkeypatch.setattr(builtins, "open", open_)

    def write(self, path: str) -> None:
        """Something is about to be written.

        Raises:
            OSError: There is no room.
        """
        name = path.removeprefix(self._folder)
        self.names.append(name)
        if self.room is not None:
            self.room -= 1
        if (self.refused and self.refused in name) or (self.room is not None and self.room < 0):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


class _File:
    """A file whose writes the disk is asked for; half of one that does not fit is written."""

    def __init__(self, file: Any, disk: Disk, path: str) -> None:
        self._file, self._disk, self._path = file, disk, path

    def write(self, data: Any) -> Any:
        try:
            self._disk.write(self._path)
        except OSError:
            self._file.write(data[: len(data) // 2])
            raise
        return self._file.write(data)

    def __enter__(self) -> _File:
        return self

    def __exit__(self, *error: object) -> None:
        self._file.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)
