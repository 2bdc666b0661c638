"""Who works on a folder, who writes to it and who rests on it. Knows nothing of what is in it.

The locks go with the processes that hold them. Their files lie beside the folder, so that it can be
set aside by whoever holds them.
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from kairos_lib.errors import KairosError

RUNNER = "runner"
"""Held by the bench that works on a run."""
WRITER = "writer"
"""Held by the notebook that writes to it."""
USERS = "users"
"""Shared by the benches and notebooks that rest on its results."""


def lock_file(folder: Path, name: str) -> Path:
    """Where one of a folder's locks lies."""
    return folder.with_name(f".{folder.name}.{name}.lock")


def take(folder: Path, name: str, wait_s: float, refusal: str) -> FileLock:
    """Take a lock that only one can hold.

    Args:
        folder: Need not be there.
        name: Which of its locks.
        wait_s: How long to wait for whoever holds it.
        refusal: The line for whoever does not get it.

    Returns:
        The lock that is held, to be released.

    Raises:
        KairosError: Another holds it.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(lock_file(folder, name))
    try:
        lock.acquire(timeout=wait_s)
    except Timeout:
        raise KairosError(refusal) from None
    return lock


def held(folder: Path, name: str) -> bool:
    """Whether anybody holds such a lock at this moment."""
    lock = FileLock(lock_file(folder, name))
    if not Path(lock.lock_file).exists():
        return False
    try:
        lock.acquire(blocking=False)
    except Timeout:
        return True
    lock.release()
    return False


@contextmanager
def kept(folder: Path) -> Iterator[None]:
    """Rest on a folder for the length of a block: any number may, and it stays where it is."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with lock_file(folder, USERS).open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_SH)
        yield


@contextmanager
def unused(folder: Path, refusal: str) -> Iterator[None]:
    """See that nobody rests on a folder for the length of a block.

    Raises:
        KairosError: Somebody does.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with lock_file(folder, USERS).open("ab") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise KairosError(refusal) from None
        yield
