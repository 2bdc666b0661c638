"""Several notebooks at once, through the public door and with GPUs that are stood in for."""

import signal
import subprocess
import sys
import threading
import time
from datetime import datetime
from pathlib import Path

import psutil
import pytest
from helpers.projects import fill, make_project, tiny_model, write_parameters

from kairos_lib.errors import KairosError
from kairos_lib.launch import slots
from kairos_lib.launch.slots import Slot, Slots
from kairos_lib.measure import vram
from kairos_lib.project import Project
from kairos_lib.runs.files import read_record
from kairos_lib.runs.journal import Journal
from kairos_lib.runs.status import Status
from kairos_lib.vlm.records import Caption
from kairos_lib.vlm.vlm_session import VlmSession


@pytest.fixture(scope="module")
def project(
    tmp_path_factory: pytest.TempPathFactory, clip: Path, llava_weights: Path, forecasts: Path
) -> Project:
    """Two models that are one, over one video."""
    made = make_project(tmp_path_factory.mktemp("slots") / "project")
    fill(made, clip, llava_weights, forecasts)
    for name in ("one", "two"):
        write_parameters(made, "models", name, tiny_model(llava_weights, title=name))
    return made


def bench(project: Project, models: str, slots: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "kairos_lib.cli", "bench", "--model", models]
    return subprocess.Popen(
        [*command, "--video", "twelve", "--slots", slots],
        cwd=project.root, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def run_of(project: Project, model: str) -> tuple[Status, list[str]]:
    (folder,) = (project.runs / "vlm" / model / "twelve").glob("*/r001")
    status = read_record(folder / "status.json", Status)
    assert status is not None
    return status, [caption.text for caption in Journal(folder / "captions.jsonl", Caption)]


@pytest.mark.services
def test_two_notebooks_at_once_write_what_one_alone_writes(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, wrong = (done := bench(project, "one,two", "2")).communicate(timeout=300)
    assert done.returncode == 0, wrong + out
    monkeypatch.setenv("KAIROS_ROOT", str(project.root))
    alone = VlmSession.open("tiny", "twelve", "plain")
    alone.load()
    alone.offline()
    spans = []
    for model in ("one", "two"):
        status, captions = run_of(project, model)
        assert status.slots == 2
        assert captions == [caption.text for caption in alone.captioning.captions]
        spans.append((moment(status.started_at), moment(status.ended_at)))
    assert max(began for began, _ in spans) < min(ended for _, ended in spans)
    # One could also be the suite of that name, so that the request's hash is told, too.
    (index,) = project.reports.glob("one-two-twelve-*/index.html")
    assert "co-run" in index.read_text()


def moment(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def test_ctrl_c_ends_all_notebooks_that_run(project: Project) -> None:
    for name in ("three", "four"):
        write_parameters(project, "models", name, tiny_model(Path("nowhere"), title=name))
    weights = project.root / "nowhere"
    if not weights.exists():
        (source,) = {tiny["weights"]["id"] for tiny in [_parameters(project, "one")]}
        weights.symlink_to(source)
    running = bench(project, "three,four", "2")
    until_s = time.monotonic() + 120
    while len(_kernels(running.pid)) < 2:
        assert running.poll() is None
        assert time.monotonic() < until_s
        time.sleep(0.1)
    kernels = _kernels(running.pid)
    running.send_signal(signal.SIGINT)
    _, wrong = running.communicate(timeout=60)
    assert running.returncode == 130
    assert wrong.splitlines()[-1].startswith("kairos: stopped")
    assert not [pid for pid in kernels if _runs(pid)]


def _parameters(project: Project, model: str) -> dict:
    import yaml

    return dict(yaml.safe_load((project.parameters / "models" / f"{model}.yaml").read_text()))


def _runs(pid: int) -> bool:
    """Whether a process does anything; one that ended can stay until its parent asks after it."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _kernels(pid: int) -> list[int]:
    found = []
    for child in psutil.Process(pid).children(recursive=True):
        try:
            if "ipykernel_launcher" in " ".join(child.cmdline()):
                found.append(child.pid)
        except psutil.NoSuchProcess:
            continue
    return found


@pytest.mark.parametrize("given", ["0", "x", "65", "-1"])
def test_a_number_of_slots_that_makes_no_sense_is_one_line(project: Project, given: str) -> None:
    running = bench(project, "tiny", given)
    _, wrong = running.communicate(timeout=60)
    assert running.returncode == 2
    assert wrong.strip() == f"kairos: SLOTS must be a whole number from 1 to 64, not '{given}'"


def seen(count: int) -> list[Slot]:
    """The slots that as many works are given at once."""
    barrier = threading.Barrier(count)
    found: list[Slot] = []

    def work(slot: Slot, stopped: threading.Event) -> None:
        found.append(slot)
        barrier.wait(timeout=10)

    Slots(count).run([work] * count)
    return found


def test_each_slot_has_a_gpu_to_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vram, "uuids", lambda: ("GPU-a", "GPU-b"))
    monkeypatch.setattr(slots, "gpus", lambda: ({"name": "A"}, {"name": "A"}))
    environments = [slot.environment for slot in seen(2)]
    assert sorted(e["CUDA_VISIBLE_DEVICES"] for e in environments) == ["GPU-a", "GPU-b"]
    # One at a time sees all: a model may be spread over them.
    assert [slot.environment for slot in seen(1)] == [{}]
    with pytest.raises(KairosError, match="SLOTS=3: this machine has only 2 GPUs"):
        Slots(3)


def test_gpus_that_are_not_alike_do_not_share_a_suite(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vram, "uuids", lambda: ("GPU-a", "GPU-b"))
    monkeypatch.setattr(slots, "gpus", lambda: ({"name": "A"}, {"name": "B"}))
    with pytest.raises(KairosError, match=r"the GPUs are not alike \(A, B\)"):
        Slots(2)


def test_a_work_that_fails_ends_the_others() -> None:
    began: list[int] = []

    def fails(slot: Slot, stopped: threading.Event) -> None:
        raise KairosError("no")

    def waits(slot: Slot, stopped: threading.Event) -> None:
        assert stopped.wait(10)
        raise KeyboardInterrupt

    def never(slot: Slot, stopped: threading.Event) -> None:
        began.append(1)

    with pytest.raises(KairosError, match="no"):
        Slots(2).run([waits, fails, never])
    assert not began
