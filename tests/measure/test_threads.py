"""Threads that compute: as many as this process may use, and asleep while they wait."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kairos_lib.bench.plan import make_plan
from kairos_lib.errors import KairosError
from kairos_lib.launch.kernels import OWN
from kairos_lib.measure import devices, threads
from kairos_lib.parameters.loading import load
from kairos_lib.parameters.suite import Suite
from kairos_lib.project import Project
from kairos_lib.vlm.run import vlm_run

OPEN = (
    "from kairos_lib.pipeline.base_session import BaseSession; "
    "BaseSession.open('twelve', 'plain'); "
)
HELD = "from kairos_lib.measure import threads; print(threads.held())"


def unset() -> dict[str, str]:
    """The environment of somebody who has never heard of OpenMP."""
    return {name: value for name, value in os.environ.items() if name not in threads.NAMES}


def started(code: str, **variables: str) -> tuple[dict[str, str], dict[str, object]]:
    """What OpenMP itself says of its settings in a process, and what our record of it says."""
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True, text=True, check=True,
        env={**unset(), **variables, "OMP_DISPLAY_ENV": "VERBOSE"},
    )  # fmt: skip
    said = dict(re.findall(r"(\w+) = '(.*?)'", done.stderr))
    return said, json.loads(done.stdout.replace("'", '"'))


@pytest.mark.skipif(sys.platform != "linux", reason="others have another OpenMP")
def test_threads_of_a_kernel_opened_by_hand_sleep_while_they_wait(small: Project) -> None:
    said, record = started(f"{OPEN}import torch; {HELD}")
    assert said["OMP_WAIT_POLICY"] == "PASSIVE"
    assert said["GOMP_SPINCOUNT"] == "0"
    assert said["OMP_NUM_THREADS"] == f"{threads.available()}"
    assert record == {"compute_threads": threads.available(), "wait_policy": "passive"}


@pytest.mark.skipif(sys.platform != "linux", reason="others have another OpenMP")
def test_where_torch_was_loaded_before_the_record_says_what_holds(small: Project) -> None:
    said, record = started(f"import torch; {OPEN}torch.set_num_threads(3); {HELD}")
    assert said["GOMP_SPINCOUNT"] != "0"
    assert record == {"compute_threads": 3, "wait_policy": "default"}


@pytest.mark.skipif(sys.platform != "linux", reason="others have another OpenMP")
def test_what_a_user_has_set_is_respected(small: Project) -> None:
    said, record = started(
        f"{OPEN}import torch; {HELD}", OMP_NUM_THREADS="1", OMP_WAIT_POLICY="ACTIVE"
    )
    assert (said["OMP_WAIT_POLICY"], said["OMP_NUM_THREADS"]) == ("ACTIVE", "1")
    assert record == {"compute_threads": 1, "wait_policy": "active"}


def test_notebooks_opened_in_jupyterlab_have_the_same(small: Project) -> None:
    code = (
        "import os; from kairos_lib import cli\n"
        "names = 'OMP_WAIT_POLICY', 'KMP_BLOCKTIME'\n"
        "os.execv = lambda *_: print([os.environ[name] for name in names])\n"
        "cli.main(['lab'], standalone_mode=False)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=unset())
    assert done.stdout.strip() == "['PASSIVE', '0']", done.stderr


COUNTS = st.sampled_from(["", "1", "2", "3", "2,1"])
VARIABLES = st.fixed_dictionaries(
    {},
    optional={
        "OMP_NUM_THREADS": COUNTS,
        "MKL_NUM_THREADS": COUNTS,
        "OMP_WAIT_POLICY": st.sampled_from(["", "active", "PASSIVE"]),
        "KMP_BLOCKTIME": st.sampled_from(["", "0", "200"]),
        "GOMP_SPINCOUNT": st.sampled_from(["0", "500"]),
    },
)


@settings(derandomize=True, deadline=None, max_examples=60)
@given(variables=VARIABLES)
def test_a_kernel_works_in_the_folder_that_the_plan_named(variables: dict[str, str]) -> None:
    """Whatever the plan's process has set: a kernel has more, and that must change no key."""
    kernel = {**variables, **threads.missing(variables)}
    assert threads.missing(kernel) == {}
    assert devices.device_name("cpu", kernel) == devices.device_name("cpu", variables)
    assert all(kernel[name] == value for name, value in variables.items() if value)
    first = kernel["OMP_NUM_THREADS"].split(",")[0]
    assert kernel.get("MKL_NUM_THREADS") or int(first) == threads.count(variables)


def test_a_number_belongs_to_the_threads_that_it_was_made_with(
    small: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    suite = load(small, Suite, "one")
    folders = set()
    for count, policy in (("1", "PASSIVE"), ("2", "PASSIVE"), ("2", "ACTIVE")):
        monkeypatch.setenv("OMP_NUM_THREADS", count)
        monkeypatch.setenv("OMP_WAIT_POLICY", policy)
        planned = make_plan(small, suite)
        (step,) = planned.vlms
        assert step.model is not None
        assert step.model.kernel == OWN
        again = vlm_run(small, planned.bases[0].job.run, step.video, step.model, 1)
        assert again.folder == step.job.run.folder
        folders.add(step.job.run.folder)
    assert len(folders) == 3


@pytest.mark.parametrize("value", ["banana", "0", "-1", "1.5"])
def test_a_number_of_threads_that_is_none_is_one_line(value: str) -> None:
    with pytest.raises(KairosError, match=f"OMP_NUM_THREADS={value} is not a number of threads"):
        threads.missing({"OMP_NUM_THREADS": value})


class Machine:
    """What Linux would say of a machine, in a folder."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.root = root
        self._monkeypatch = monkeypatch

    def write(self, path: str, text: str) -> None:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"{text}\n", encoding="utf-8")

    def processors(self, allowed: int, of_a_core: int = 1) -> None:
        """Some that this process may run on, several of which can be one core."""
        self._monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(allowed)))
        for number in range(allowed):
            first = number // of_a_core * of_a_core
            topology = f"sys/devices/system/cpu/cpu{number}/topology"
            self.write(f"{topology}/core_cpus_list", f"{first}-{first + of_a_core - 1}")

    def groups(self, member: str, *mounts: str) -> None:
        """The groups that this process is in, and where what they are told can be read."""
        self.write("proc/self/cgroup", member)
        lines = [f"{30 + n} 23 0:{n} {mount}" for n, mount in enumerate(mounts)]
        self.write("proc/self/mountinfo", "\n".join(["22 27 0:21 / /proc rw - proc x rw", *lines]))

    def available(self) -> int:
        return threads.available(self.root)


SECOND = "/ /sys/fs/cgroup rw - cgroup2 cgroup2 rw"


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    made = Machine(tmp_path / "machine", monkeypatch)
    made.processors(8)
    return made


def test_a_process_computes_on_the_cores_that_it_may_run_on(machine: Machine) -> None:
    assert machine.available() == 8
    machine.processors(8, of_a_core=2)
    assert machine.available() == 4
    machine.processors(3)
    assert machine.available() == 3


def test_a_quota_of_the_group_or_of_one_around_it_limits(machine: Machine) -> None:
    machine.groups("0::/jobs/mine", SECOND)
    machine.write("sys/fs/cgroup/jobs/mine/cpu.max", "max 100000")
    assert machine.available() == 8
    machine.write("sys/fs/cgroup/jobs/cpu.max", "350000 100000")
    assert machine.available() == 3


def test_a_container_is_shown_its_own_group_as_the_root(machine: Machine) -> None:
    machine.groups("0::/", SECOND)
    machine.write("sys/fs/cgroup/cpu.max", "200000 100000")
    assert machine.available() == 2
    machine.groups("0::/../../elsewhere", SECOND)
    assert machine.available() == 2


def test_the_first_version_of_groups_limits_as_well(machine: Machine) -> None:
    mount = "/docker/abc /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct"
    memory = "/docker/abc /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory"
    machine.groups("4:memory:/docker/abc\n3:cpu,cpuacct:/docker/abc\n0::/", mount, memory)
    machine.write("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "-1")
    machine.write("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", "100000")
    assert machine.available() == 8
    machine.write("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "50000")
    assert machine.available() == 1


def test_without_any_limit_or_word_of_them_all_cores_compute(machine: Machine) -> None:
    machine.groups("", "")
    assert machine.available() == 8


@pytest.fixture(scope="module")
def fake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("machine")


@settings(derandomize=True, deadline=None, max_examples=25)
@given(
    allowed=st.integers(1, 64),
    quotas=st.lists(st.integers(1_000, 6_400_000), min_size=1, max_size=4),
    period=st.sampled_from([1_000, 50_000, 100_000]),
)
def test_never_more_than_may_be_used_and_at_least_one(
    fake: Path, allowed: int, quotas: list[int], period: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        made = Machine(fake, patch)
        made.processors(allowed)
        folder = "sys/fs/cgroup"
        for depth, quota in enumerate(quotas):
            folder += f"/g{depth}"
            made.write(f"{folder}/cpu.max", f"{quota} {period}")
        made.groups("0::/" + "/".join(f"g{depth}" for depth in range(len(quotas))), SECOND)
        found = made.available()
    assert 1 <= found <= allowed
    assert found == 1 or found <= min(quotas) / period
