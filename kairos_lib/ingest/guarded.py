"""The process that fetches one video: `python -m kairos_lib.ingest.guarded`.

Reads a `Job` from its standard input, locks itself in, and writes an `Answer` to its standard
output. It ends with the process that started it.
"""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import sys

from kairos_lib.errors import KairosError
from kairos_lib.ingest.job import Answer, Job

MEMORY_BYTES = 2 * 1024**3
"""A page that never ends would be read until the machine has none left."""
SLACK_BYTES = 1024**2
"""Files may be that much larger than a video, so that the limit is met by what explains it."""
_PR_SET_PDEATHSIG = 1


def main() -> None:
    """Fetch what the job says."""
    job = Job.model_validate_json(sys.stdin.read())
    _end_with(job.parent)
    _limit("RLIMIT_CORE", 0)
    _limit("RLIMIT_DATA", MEMORY_BYTES)
    _limit("RLIMIT_FSIZE", job.limits.max_mib * 1024**2 + SLACK_BYTES)
    # What libraries print goes to the errors: the answer is alone on its stream.
    answers = os.dup(1)
    os.dup2(2, 1)
    os.write(answers, _answer(job).model_dump_json().encode() + b"\n")


def _answer(job: Job) -> Answer:
    from kairos_lib.ingest.download import download

    try:
        return download(job)
    except KairosError as error:
        return Answer(error=str(error))
    except MemoryError:
        most = f"{MEMORY_BYTES / 1024**3:.0f} GiB"
        return Answer(error=f"its page or its video takes more than {most} of memory to read")


def _end_with(parent: int) -> None:
    """Have the system kill this process when the one that waits for it ends, however it does."""
    if sys.platform != "linux":
        return  # Only Linux can: elsewhere it goes on alone, for as long as its download takes.
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl")
    if os.getppid() != parent:  # It ended before that.
        sys.exit(1)


def _limit(name: str, value: int) -> None:
    """Lower a limit of this process; one that is lower already stays."""
    which = getattr(resource, name)
    hard = resource.getrlimit(which)[1]
    if hard != resource.RLIM_INFINITY:
        value = min(value, hard)
    resource.setrlimit(which, (value, value))


if __name__ == "__main__":
    main()
