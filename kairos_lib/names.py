"""Checks names and paths from records and parameter files that others may have written.

Knows nothing of what they name. Every place that turns such a name into a path checks it here.
"""

from __future__ import annotations

import unicodedata
from pathlib import Path

from kairos_lib.errors import KairosError

LONGEST_BYTES = 200
"""Limit for a name: systems allow 255 for a file's, and ours get suffixes."""
SHOWN_CHARACTERS = 60


def showable(text: str) -> bool:
    """Whether a text can be written and shown: no surrogates, no terminal control characters."""
    # Most texts are printable, which is quick to check.
    return text.isprintable() or not any(
        unicodedata.category(character) in ("Cc", "Cs") and character not in "\n\r\t"
        for character in text
    )


def is_name(text: str) -> bool:
    """Whether a text can be the name of one folder or file, and points nowhere else."""
    return (
        bool(text.strip(" ."))
        and not set(text) & set("/\\\n\r\t")
        and showable(text)
        and len(text.encode()) <= LONGEST_BYTES
    )


def checked_name(text: str, what: str) -> str:
    """Check a name from an untrusted source.

    Args:
        text: The name.
        what: Where it was found, for the error line: `the model of runs/...`.

    Raises:
        KairosError: It cannot be the name of one folder.
    """
    if not is_name(text):
        raise KairosError(f"{what} is called {quoted(text)}, which cannot be a name")
    return text


def inside(folder: Path, path: str | Path, what: str) -> Path:
    """Check that a path from an untrusted source is in a folder.

    Args:
        folder: The folder that it must not leave, by `..` or by a link.
        path: Relative to the folder, or absolute.
        what: Where it was found, for the error line.

    Returns:
        The path, links not followed.

    Raises:
        KairosError: It points outside the folder.
    """
    try:
        found = folder / path
        # Links are resolved first, so that none points outside the folder.
        within = showable(str(path)) and found.resolve().is_relative_to(folder.resolve())
    except (OSError, RuntimeError, ValueError):  # Too long, a link to itself, or not a path.
        within = False
    if not within:
        raise KairosError(f"{what} names {quoted(str(path))}, which is not in {folder.name}/")
    return found


def quoted(value: object) -> str:
    """An untrusted value in an error line, as much of it as fits one."""
    text = repr(value)
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}…"
