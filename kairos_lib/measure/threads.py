"""How many threads compute and how they wait for one another: set before torch loads, then told.

OpenMP's threads meet hundreds of times for each token, and while they wait they spin unless they
are told not to (libgomp's manual, "GOMP_SPINCOUNT"). On a machine that is busy with other things
the one that is waited for then gets no core, and captions take many times as long; threads that
sleep lose no more than the cores that are gone. Imports no torch: it reads these variables once,
when it is loaded.
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
"""Goes before the other in torch, where it is built with that library."""
WAITING = "OMP_WAIT_POLICY"
SPINS = "GOMP_SPINCOUNT"
"""Goes before the policy in libgomp, which torch's and CTranslate2's wheels bring for Linux."""
BLOCKTIME = "KMP_BLOCKTIME"
"""Milliseconds that Intel's and LLVM's OpenMP spins before it sleeps."""
NAMES = (COUNT, COUNT_OF_MKL, WAITING, SPINS, BLOCKTIME)


def settle() -> None:
    """Set in this process, and in what it starts, whatever the user has not set.

    Where torch is loaded already it is too late: then nothing is set, and `held` says so.
    """
    if "torch" not in sys.modules:
        os.environ.update(missing())


def missing(given: Mapping[str, str] | None = None) -> dict[str, str]:
    """The variables that a process which is about to be started is to have on top of some.

    Args:
        given: What it has; this process's own if left out.
    """
    given = os.environ if given is None else given
    wanted = {COUNT: f"{count(given)}"}
    if not given.get(WAITING):
        wanted |= {WAITING: "PASSIVE", BLOCKTIME: "0"}
    return {name: value for name, value in wanted.items() if not given.get(name)}


def chosen() -> dict[str, str]:
    """The variables of this process, with the missing ones.

    A process elsewhere that has them, and no others of these names, computes with as many threads.
    """
    return {n: os.environ[n] for n in NAMES if os.environ.get(n)} | missing()


def count(given: Mapping[str, str] | None = None) -> int:
    """Threads that compute in a process that has some variables, once the missing ones are set.

    Raises:
        KairosError: A variable is no number of threads.
    """
    given = os.environ if given is None else given
    for name in (COUNT_OF_MKL, COUNT):
        # OpenMP's can be a list: one number for each level of regions within regions.
        if value := given.get(name, "").split(",")[0].strip():
            if not value.isdecimal() or not int(value):
                raise KairosError(f"{name}={given[name]} is no number of threads: unset it")
            return int(value)
    return available()


def policy(given: Mapping[str, str]) -> str:
    """How threads wait with some variables: `passive` (asleep), `active` (spinning) or as set.

    `default` is OpenMP's own way: it spins first.
    """
    if spins := given.get(SPINS):
        return f"{SPINS}={spins}"
    return given.get(WAITING, "").strip().lower() or "default"


def held() -> dict[str, str | int]:
    """The threads of this process and how they wait, for records: as it is where torch is loaded.

    Where it is not, as it is in the processes that this one starts.
    """
    torch = sys.modules.get("torch")
    if torch is None:
        return {"compute_threads": count(), "wait_policy": policy({**os.environ, **missing()})}
    return {"compute_threads": int(torch.get_num_threads()), "wait_policy": policy(os.environ)}


def title(given: Mapping[str, str] | None = None) -> str:
    """What a number that was made with some variables belongs to: `2 threads, passive waiting`.

    As it is asked for: a process that plans, and one that found torch loaded, say the same.
    """
    given = os.environ if given is None else given
    return f"{count(given)} threads, {policy({**given, **missing(given)})} waiting"


def available(root: Path = Path("/")) -> int:
    """Processor cores that this process may use, and never more than its share of their time.

    Of a core that counts as two processors (hyper-threading) one computes: two would share its
    arithmetic units. A share is the quota of a container or a job, in whole cores.

    Args:
        root: Where Linux says what there is; another only in tests.
    """
    if not hasattr(os, "sched_getaffinity"):  # Only Linux limits a process to some of them.
        return psutil.cpu_count(logical=False) or psutil.cpu_count() or 1
    topology = root / "sys/devices/system/cpu"
    cores = {_core(topology / f"cpu{number}/topology") for number in os.sched_getaffinity(0)}
    return max(1, min([len(cores), *_quotas(root)]))


def _core(topology: Path) -> str:
    """The core that a processor is of, by all its processors."""
    for name in ("core_cpus_list", "thread_siblings_list"):
        if value := _read(topology / name):
            return value
    return str(topology)


def _quotas(root: Path) -> Iterator[int]:
    """Limits in cores, of this process's control groups and of those around them (cgroups(7))."""
    for folder, second in _groups(root):
        if second:
            quota, _, period = _read(folder / "cpu.max").partition(" ")
        else:
            quota = _read(folder / "cpu.cfs_quota_us")
            period = _read(folder / "cpu.cfs_period_us")
        # "max" and -1 stand for no limit.
        if quota.isdecimal() and period.isdecimal() and int(period):
            yield int(quota) // int(period)


def _groups(root: Path) -> Iterator[tuple[Path, bool]]:
    """Folders of the groups that limit this process, and whether they are of the second version."""
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
        # A container can be shown its own group as the root, under whatever name it has outside.
        group = member[second]
        inside = group.is_relative_to(shown) and ".." not in group.parts
        inner = group.relative_to(shown) if inside else PurePosixPath()
        top = root / mounted.relative_to("/")
        for part in (inner, *inner.parents):
            yield top / part, second


def _read(path: Path) -> str:
    """A file's text, without the line's end; empty where there is none such."""
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError:
        return ""
