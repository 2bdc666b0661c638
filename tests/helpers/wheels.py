"""Small wheels for tests, and a folder from which pip takes them in place of an index."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest


def write_wheel(folder: Path, package: str, files: Mapping[str, bytes]) -> Path:
    """A wheel of `NAME==VERSION` with some files in it.

    The package would say so if it were installed or run: its only module raises an error.
    """
    name, _, version = package.partition("==")
    stem = f"{name.replace('-', '_')}-{version}"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{stem}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("run_me_not.py", "raise SystemExit('run')\n")
        for member, content in files.items():
            archive.writestr(member, content)
        about = f"{stem}.dist-info"
        archive.writestr(
            f"{about}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        )
        archive.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        archive.writestr(f"{about}/RECORD", "")
    return path


def serve_wheels(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make a folder all that pip knows."""
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.delenv("PIP_EXTRA_INDEX_URL", raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")


def sha256(content: bytes) -> str:
    """Hash of a content."""
    return hashlib.sha256(content).hexdigest()
