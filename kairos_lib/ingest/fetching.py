"""Fetches one video by its address, in a guarded process of its own.

Knows the process from the outside only: it is killed when its time is over, and its folder is
removed whatever happened to it.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import signal
import subprocess
import sys
import uuid
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from filelock import FileLock, Timeout
from pydantic import ValidationError

import kairos_lib
from kairos_lib.errors import KairosError, no_room, room_for
from kairos_lib.ingest.addresses import INSTEAD, checked, shown
from kairos_lib.ingest.job import Answer, Job
from kairos_lib.parameters.ingest import IngestLimits

CONTENT_HEX_DIGITS = 16
PREFIX = ".fetching-"
"""Of the folders of videos that are being fetched."""
SAID_BYTES = 16 * 1024
_HANDED_ON = ("LD_LIBRARY_PATH", "PATH")
"""What Python itself may need to start. No keys, no proxies."""


@dataclass(frozen=True)
class Fetched:
    """A video that has arrived."""

    sha256: str
    title: str
    """As its page calls it; may be empty."""
    duration_s: float
    suffix: str
    """Of its file's name, with the dot."""


def by_content(video: Fetched) -> str:
    """A name that is the same for the same content, whatever its address."""
    return f"{video.sha256[:CONTENT_HEX_DIGITS]}{video.suffix}"


def fetch(url: str, folder: Path, limits: IngestLimits) -> Path:
    """Fetch a video into a folder, under a name made of its content.

    Args:
        url: An address of the file, or of a page with one video that yt-dlp knows to read.
        folder: Is made if need be. All there is of an earlier try that was killed is removed.
        limits: What may be fetched, and from where.

    Returns:
        The file.

    Raises:
        KairosError: It may not be fetched or could not be; the line says what to do.
    """
    return fetched(url, folder, limits)


def fetched(
    url: str,
    folder: Path,
    limits: IngestLimits,
    named: Callable[[Fetched], str] = by_content,
    reachable: Collection[str] = (),
) -> Path:
    """Fetch a video under a name of one's own.

    Args:
        url: As for `fetch`.
        folder: As for `fetch`.
        limits: As for `fetch`.
        named: Gives the file's name. A file that has it already stays.
        reachable: Numeric addresses with their ports (`127.0.0.1:8080`) that may be asked although
            they are not public. Only for tests, whose servers are on loopback: no command, file or
            variable leads here, since each would open every service of this machine to whoever
            may name a video.

    Raises:
        KairosError: As for `fetch`.
    """
    url = checked(url, limits, reachable)
    with room_for(folder):
        folder.mkdir(parents=True, exist_ok=True)
    with _temporary(folder) as temporary:
        job = Job(
            url=url,
            folder=temporary,
            limits=limits,
            reachable=tuple(reachable),
            parent=os.getpid(),
        )
        answer = _asked(job)
        path = temporary / answer.file
        # What that process says is believed as little as what it read.
        if path.parent != temporary or path.is_symlink() or not path.is_file():
            raise KairosError(f"{shown(url)}: no file arrived; {INSTEAD}")
        with path.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
            os.fsync(file.fileno())
        suffix = path.suffix if re.fullmatch(r"\.[a-z0-9]{1,5}", path.suffix) else ".video"
        found = Fetched(sha256, answer.title, answer.duration_s, suffix)
        target = folder / named(found)
        if not target.exists():
            path.replace(target)
        return target


def _asked(job: Job) -> Answer:
    """Run the guarded process to its end, or to the end of its time."""
    where = shown(job.url)
    # Files, as the process cannot fill this one's memory with those.
    with (
        (job.folder.parent / "answer").open("w+b") as answer,
        (job.folder.parent / "errors").open("w+b") as errors,
    ):
        process = subprocess.Popen(
            # Neither the current folder nor the user's own packages are looked through.
            [sys.executable, "-P", "-s", "-m", "kairos_lib.ingest.guarded"],
            stdin=subprocess.PIPE,
            stdout=answer,
            stderr=errors,
            cwd=job.folder,
            env=_environment(job.folder),
            start_new_session=True,
        )
        try:
            process.communicate(job.model_dump_json().encode(), timeout=job.limits.timeout_s)
        except subprocess.TimeoutExpired:
            raise KairosError(
                f"{where} took longer than {job.limits.timeout_s:g} s: raise `timeout_s`, "
                f"or {INSTEAD}"
            ) from None
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
            if process.stdin is not None:
                process.stdin.close()
        answered, said = _end_of(answer), _end_of(errors)
    try:
        found = Answer.model_validate_json(answered)
    except ValidationError:
        last = said.splitlines()[-1] if said else f"its process ended with {process.returncode}"
        raise KairosError(
            no_room(said, job.folder.parent) or f"{where} could not be fetched ({last}): {INSTEAD}"
        ) from None
    if found.error:
        raise KairosError(no_room(found.error, job.folder.parent) or f"{where}: {found.error}")
    return found


def _end_of(file: BinaryIO) -> str:
    """What was written last, as much of it as matters."""
    file.seek(max(0, file.seek(0, os.SEEK_END) - SAID_BYTES))
    return file.read(SAID_BYTES).decode(errors="replace").strip()


def _environment(folder: Path) -> dict[str, str]:
    """The whole environment of the guarded process."""
    own = {name: os.environ[name] for name in _HANDED_ON if name in os.environ}
    return {
        **own,
        "HOME": str(folder),
        "TMPDIR": str(folder),
        "LANG": "C.UTF-8",
        "PYTHONPATH": str(Path(kairos_lib.__file__).parents[1]),
        "YTDLP_NO_PLUGINS": "1",
        # Otherwise memory is set aside for each core, of which a machine may have many.
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
    }


@contextmanager
def _temporary(folder: Path) -> Iterator[Path]:
    """A folder of its own for one process, removed at the end.

    One whose owner was killed is removed by whoever comes next: the lock in it is free.
    """
    place = folder / f"{PREFIX}{uuid.uuid4().hex}"
    lock = FileLock(place / "lock", thread_local=False)
    # Nobody else may look between making a folder and locking it, nor between unlocking it and
    # the end of its removal.
    looking = FileLock(folder / f"{PREFIX}lock", thread_local=False)
    with looking:
        _sweep(folder)
        with room_for(place):
            (place / "files").mkdir(parents=True)
        lock.acquire(timeout=0)
    try:
        yield (place / "files").resolve()
    finally:
        with looking:
            lock.release()
            shutil.rmtree(place, ignore_errors=True)


def _sweep(folder: Path) -> None:
    """Remove what killed processes left."""
    for place in folder.glob(f"{PREFIX}*"):
        if not place.is_dir():
            continue
        lock = FileLock(place / "lock", thread_local=False)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            continue
        lock.release()
        shutil.rmtree(place, ignore_errors=True)
