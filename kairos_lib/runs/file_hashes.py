"""SHA-256 of files, cached."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from kairos_lib.runs.files import write_json


class FileHashes:
    """SHA-256 of files, cached by path, size and modification time.

    Hashing a film takes seconds; checking whether it has changed must not.
    """

    def __init__(self, runs: Path) -> None:
        self._memory = runs / "hashes.json"

    def sha256(self, path: Path) -> str:
        """Hash of a file's content."""
        stat = path.stat()
        name = f"{path.resolve()}|{stat.st_size}|{stat.st_mtime_ns}"
        known = self._load()
        if name not in known:
            with path.open("rb") as file:
                known[name] = hashlib.file_digest(file, "sha256").hexdigest()
            write_json(self._memory, {**self._load(), **known}, durable=False)
        return known[name]

    def of_folder(self, folder: Path) -> str:
        """Hash of the names and contents of all files below a folder except notes (`.md`)."""
        total = hashlib.sha256()
        for path in sorted(p for p in folder.rglob("*") if p.is_file() and p.suffix != ".md"):
            total.update(f"{path.relative_to(folder)}:{self.sha256(path)}\n".encode())
        return total.hexdigest()

    def _load(self) -> dict[str, str]:
        try:
            known = json.loads(self._memory.read_text(encoding="utf-8"))
        except (FileNotFoundError, json.JSONDecodeError):
            return {}
        return known if isinstance(known, dict) else {}
