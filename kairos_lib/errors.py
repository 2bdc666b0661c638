"""The one kind of error that is meant to be read by users."""

from __future__ import annotations

import difflib
import errno
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

NO_ROOM = (errno.ENOSPC, errno.EDQUOT)
"""The disk or this user's quota is full."""


class KairosError(Exception):
    """Something a user can fix: one line that says what is wrong and what to do.

    The command line prints it without a traceback and ends with an exit code other than 0; in a
    notebook it is the last line of the cell's output.
    """


@contextmanager
def room_for(path: Path) -> Iterator[None]:
    """Write to a path in a block.

    Raises:
        KairosError: The disk is full.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in NO_ROOM:
            raise
        raise KairosError(no_room(error, path)) from error


def no_room(error: BaseException | str, path: Path | str = "") -> str:
    """The message about a full disk; empty if the error, or its text, is about something else.

    Args:
        error: An exception raised here, or the text of one raised in a kernel.
        path: The file to be written, if known.
    """
    if isinstance(error, OSError):
        full, path = error.errno in NO_ROOM, path or error.filename or ""
    else:
        full = any(os.strerror(number) in str(error) for number in NO_ROOM)
    where = f" to write {path}" if path else ""
    message = (
        f"the disk is full: there is no room{where}; free some and run the same command to go on"
    )
    return message if full else ""


def closest(word: str, known: Iterable[str], list_known: bool = False) -> str:
    """Name the known word nearest to a mistyped one, for the end of an error message.

    Args:
        word: The given word.
        known: All known words; listed if none is near.
        list_known: List them in any case.
    """
    known = sorted(known)
    listed = f"known: {', '.join(known) or 'none'}"
    near = difflib.get_close_matches(word, known, n=1, cutoff=0.5)
    if not near:
        return listed
    return f"did you mean '{near[0]}'?" + (f" ({listed})" if list_known else "")
