"""Names and paths that somebody else wrote, in a record or a parameter file: which may be trusted.

Knows nothing of what they name. Every door at which such a name becomes a path asks here.
"""

from __future__ import annotations

import unicodedata
from pathlib import Path

from kairos_lib.errors import KairosError

LONGEST_BYTES = 200
"""Of a name: systems allow 255 for a file's, and ours get endings."""
SHOWN_CHARACTERS = 60


def showable(text: str) -> bool:
    """Whether a text can be written and shown: no half of a character, nothing a terminal obeys."""
    # Most texts are printable, which is less than what is asked here and quickly told.
    return text.isprintable() or not any(
        unicodedata.category(character) in ("Cc", "Cs") and character not in "\n\r\t"
        for character in text
    )


def is_name(text: str) -> bool:
    """Whether a text can be the name of one folder or file, and leads nowhere else."""
    return (
        bool(text.strip(" ."))
        and not set(text) & set("/\\\n\r\t")
        and showable(text)
        and len(text.encode()) <= LONGEST_BYTES
    )


def checked_name(text: str, what: str) -> str:
    """A name that somebody else wrote.

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
    """A path that somebody else wrote, if it lies in a folder.

    Args:
        folder: That it may not leave, by `..` or by a link.
        path: Relative to the folder, or absolute.
        what: Where it was found, for the error line.

    Returns:
        The path, links not followed.

    Raises:
        KairosError: It leads out of the folder.
    """
    try:
        found = folder / path
        # Links are followed first, so that none leads out of the folder.
        within = showable(str(path)) and found.resolve().is_relative_to(folder.resolve())
    except (OSError, RuntimeError, ValueError):  # Too long, a link to itself, or not a path.
        within = False
    if not within:
        raise KairosError(f"{what} names {quoted(str(path))}, which is not in {folder.name}/")
    return found


def quoted(value: object) -> str:
    """A value of anybody's in an error line, as much of it as fits one."""
    text = repr(value)
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}…"
