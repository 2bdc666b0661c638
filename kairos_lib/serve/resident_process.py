"""What is called in a process with models: it takes functions only, `begin` before all others."""

from __future__ import annotations

import ctypes
import gc
import logging
import signal
from dataclasses import replace

from kairos_lib.errors import KairosError
from kairos_lib.measure import threads
from kairos_lib.serve.contract import ChildData
from kairos_lib.serve.resident import MIB, Resident
from kairos_lib.serve.supervisor import PR_SET_PDEATHSIG
from kairos_lib.serve.work_records import Done, Setup, Stats, WorkError

log = logging.getLogger(__name__)
_here: list[Resident] = []
"""The one object that outlives each call."""


def begin(setup: Setup) -> None:
    """Called once, when the process starts."""
    # It ends with the process that owns the queue, however that ends.
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    threads.settle()
    group = setup.service.groups[setup.group]
    if group.device != "cpu":
        _cap(group.memory_mib)
    _here[:] = [Resident(setup)]


def _cap(memory_mib: int) -> None:
    """Keep torch within a group's share of its GPU."""
    import torch

    total = torch.cuda.get_device_properties(0).total_memory
    torch.cuda.set_per_process_memory_fraction(min(1.0, memory_mib * MIB / total), 0)


def warm(verify: bool) -> Stats:
    """Load the models."""
    stats = _here[0].warm(verify)
    gc.collect()
    # What stays for good need not be looked at after each job, which would take half a second.
    gc.freeze()
    return stats


def work(job: str, data: ChildData) -> Done:
    """Do a group's part of a job.

    Raises:
        KairosError: It cannot be done, and why.
        WorkError: Something else went wrong. An error of torch's own would make the process that
            reads it import torch.
    """
    try:
        done = _here[0].work(job, data)
    except KairosError:
        raise
    except Exception as error:
        log.exception("job %s failed", job)
        said = next(iter(str(error).splitlines()), "")
        raise WorkError(f"{type(error).__name__}: {said}") from None
    # Frames and sound lie in cycles of few small objects, which Python comes to by itself only
    # after hundreds of MiB of them. After a job that failed they wait for the next one's end, since
    # its traceback holds the frames until it has been passed on.
    gc.collect()
    return replace(done, stats=_here[0].stats())
