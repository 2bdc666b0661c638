"""The one kind of error that is meant for a person to read."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class KairosError(Exception):
    """Something a user can put right: one line that says what is wrong and what to do.

    The command line prints it without a traceback and ends with an exit code that is not 0;
    in a notebook it is the last line of the cell's output.
    """


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
