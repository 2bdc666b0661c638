"""How many threads compute and how they wait: set before torch loads, then recorded.

OpenMP's threads synchronise hundreds of times for each token, and spin while they wait unless they
are configured not to (libgomp's manual, "GOMP_SPINCOUNT"). On a busy machine the thread that the
others wait for then gets no core, and captions take many times as long; with threads that sleep,
only the missing cores are lost. Imports no torch, which reads these variables once, when it is
loaded.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

import psutil

from kairos_lib.errors import KairosError

COUNT = "OMP_NUM_THREADS"
COUNT_OF_MKL = "MKL_NUM_THREADS"
"""Takes precedence over the other in torch, if it is built with that library."""
WAITING = "OMP_WAIT_POLICY"
SPINS = "GOMP_SPINCOUNT"
"""Takes precedence over the policy in libgomp, part of torch's and CTranslate2's Linux wheels."""
BLOCKTIME = "KMP_BLOCKTIME"
"""Milliseconds that Intel's and LLVM's OpenMP spins before it sleeps."""
NAMES = (COUNT, COUNT_OF_MKL, WAITING, SPINS, BLOCKTIME)


def settle() -> None:
    """Set in this process, and in those that it starts, whatever the user has not set.

    If torch is loaded already it is too late: then nothing is set, and `held` says so.
    """
    if "torch" not in sys.modules:
        os.environ.update(missing())


def one_of_opencv() -> None:
    """Import OpenCV and keep it to one thread, for the whole process.

    By default every caller's thread has all cores work on each small picture: with several
    analyzers at once, on a busy machine, they mostly wait for one another.
    """
    import cv2

    cv2.setNumThreads(1)


def missing(given: Mapping[str, str] | None = None) -> dict[str, str]:
    """The variables to add to the environment of a process that is about to be started.

    Args:
        given: Its environment; this process's own if left out.
    """
    given = os.environ if given is None else given
    wanted = {COUNT: f"{count(given)}"}
    if not given.get(WAITING):
        wanted |= {WAITING: "PASSIVE", BLOCKTIME: "0"}
    return {name: value for name, value in wanted.items() if not given.get(name)}


def chosen() -> dict[str, str]:
    """The variables of this process, including the missing ones.

    A process elsewhere with exactly these variables computes with as many threads.
    """
    return {n: os.environ[n] for n in NAMES if os.environ.get(n)} | missing()


def count(given: Mapping[str, str] | None = None) -> int:
    """Number of computing threads in a process with some variables, once missing ones are set.

    Raises:
        KairosError: A variable is not a number of threads.
    """
    given = os.environ if given is None else given
    for name in (COUNT_OF_MKL, COUNT):
        # OpenMP's can be a list: one number for each nesting level.
        if value := given.get(name, "").split(",")[0].strip():
            if not value.isdecimal() or not int(value):
                raise KairosError(f"{name}={given[name]} is not a number of threads: unset it")
            return int(value)
    return available()


def policy(given: Mapping[str, str]) -> str:
    """How threads wait with some variables: `passive` (asleep), `active` (spinning) or as set.

    `default` is OpenMP's own behaviour: it spins first.
    """
    if spins := given.get(SPINS):
        return f"{SPINS}={spins}"
    return given.get(WAITING, "").strip().lower() or "default"


def held() -> dict[str, str | int]:
    """The threads of this process and how they wait, for records, if torch is loaded.

    Otherwise those of the processes that this one starts.
    """
    torch = sys.modules.get("torch")
    if torch is None:
        return {"compute_threads": count(), "wait_policy": policy({**os.environ, **missing()})}
    return {"compute_threads": int(torch.get_num_threads()), "wait_policy": policy(os.environ)}


def title(given: Mapping[str, str] | None = None) -> str:
    """A label for numbers made with some variables: `2 threads, passive waiting`.

    Based on the settings, so that a planning process and one with torch loaded give the same.
    """
    given = os.environ if given is None else given
    return f"{count(given)} threads, {policy({**given, **missing(given)})} waiting"


def available(root: Path = Path("/")) -> int:
    """Processor cores that this process may use, at most its share of their time.

    Of a core that appears as two processors (hyper-threading) only one is used: two would share
    its arithmetic units. A share is the quota of a container or a job, in whole cores.

    Args:
        root: Root of Linux's system files; changed only in tests.
    """
    if not hasattr(os, "sched_getaffinity"):  # Only Linux restricts a process to some processors.
        return psutil.cpu_count(logical=False) or psutil.cpu_count() or 1
    topology = root / "sys/devices/system/cpu"
    cores = {_core(topology / f"cpu{number}/topology") for number in os.sched_getaffinity(0)}
    return max(1, min([len(cores), *_quotas(root)]))


def _core(topology: Path) -> str:
    """The core of a processor, identified by the core's processors."""
    for name in ("core_cpus_list", "thread_siblings_list"):
        if value := _read(topology / name):
            return value
    return str(topology)


def _quotas(root: Path) -> Iterator[int]:
    """Limits in cores, from this process's control groups and their parents (cgroups(7))."""
    for folder, second in _groups(root):
        if second:
            quota, _, period = _read(folder / "cpu.max").partition(" ")
        else:
            quota = _read(folder / "cpu.cfs_quota_us")
            period = _read(folder / "cpu.cfs_period_us")
        # "max" and -1 mean no limit.
        if quota.isdecimal() and period.isdecimal() and int(period):
            yield int(quota) // int(period)


def _groups(root: Path) -> Iterator[tuple[Path, bool]]:
    """Folders of the groups that limit this process, and whether they are of version 2."""
    member: dict[bool, PurePosixPath] = {}
    for line in _read(root / "proc/self/cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        if not controllers or "cpu" in controllers.split(","):
            member[not controllers] = PurePosixPath(path)
    for line in _read(root / "proc/self/mountinfo").splitlines():
        before, _, after = line.partition(" - ")
        kind, _, options = after.partition(" ")
        second = kind == "cgroup2"
        if not second and (kind != "cgroup" or "cpu" not in options.split()[-1].split(",")):
            continue
        shown, mounted = (PurePosixPath(field) for field in before.split()[3:5])
        if second not in member:
            continue
        # A container may see its own group as the root, whatever its name outside.
        group = member[second]
        inside = group.is_relative_to(shown) and ".." not in group.parts
        inner = group.relative_to(shown) if inside else PurePosixPath()
        top = root / mounted.relative_to("/")
        for part in (inner, *inner.parents):
            yield top / part, second


def _read(path: Path) -> str:
    """A file's text without the newline; empty if there is no such file."""
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError:
        return ""
