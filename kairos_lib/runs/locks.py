"""Locks on a folder: for working on it, writing to it, and using it. Knows nothing of its content.

The locks end with the processes that hold them. Their files are beside the folder, so that the
holder can set the folder aside.
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
"""Shared by the benches and notebooks that use its results."""


def lock_file(folder: Path, name: str) -> Path:
    """Path of one of a folder's locks."""
    return folder.with_name(f".{folder.name}.{name}.lock")


def take(folder: Path, name: str, wait_s: float, refusal: str) -> FileLock:
    """Take a lock that only one can hold.

    Args:
        folder: Need not exist.
        name: Which of its locks.
        wait_s: How long to wait for the present holder.
        refusal: The message if the lock cannot be taken.

    Returns:
        The lock that is held, to be released.

    Raises:
        KairosError: Another process holds it.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(lock_file(folder, name))
    try:
        lock.acquire(timeout=wait_s)
    except Timeout:
        raise KairosError(refusal) from None
    return lock


def held(folder: Path, name: str) -> bool:
    """Whether any process holds such a lock at this moment."""
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
    """Keep a folder in place during a block; any number of processes may do so."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with lock_file(folder, USERS).open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_SH)
        yield


@contextmanager
def unused(folder: Path, refusal: str) -> Iterator[None]:
    """Make sure that no process uses a folder during a block.

    Raises:
        KairosError: Some process does.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with lock_file(folder, USERS).open("ab") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise KairosError(refusal) from None
        yield
