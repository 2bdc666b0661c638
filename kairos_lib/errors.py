"""The one kind of error that is meant for a person to read."""

from __future__ import annotations

import difflib
import errno
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

NO_ROOM = (errno.ENOSPC, errno.EDQUOT)
"""The disk is full, or this user's share of it is."""


class KairosError(Exception):
    """Something a user can put right: one line that says what is wrong and what to do.

    The command line prints it without a traceback and ends with an exit code that is not 0;
    in a notebook it is the last line of the cell's output.
    """


@contextmanager
def room_for(path: Path) -> Iterator[None]:
    """Write to a path in a block.

    Raises:
        KairosError: There is no room for it on its disk.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in NO_ROOM:
            raise
        raise KairosError(no_room(error, path)) from error


def no_room(error: BaseException | str, path: Path | str = "") -> str:
    """The one line about a full disk; empty of an error, or its text, that is about another thing.

    Args:
        error: What was raised here, or what a kernel says was raised there.
        path: What was to be written, if it is known.
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
    """Say which known name a mistyped one is near to, for the end of an error line.

    Args:
        word: What was given.
        known: What there is; listed where nothing is near.
        list_known: List it in any case.
    """
    known = sorted(known)
    listed = f"known: {', '.join(known) or 'none'}"
    near = difflib.get_close_matches(word, known, n=1, cutoff=0.5)
    if not near:
        return listed
    return f"did you mean '{near[0]}'?" + (f" ({listed})" if list_known else "")
