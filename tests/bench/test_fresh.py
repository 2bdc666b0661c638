"""FRESH=1 sets results aside, and never what somebody is in the middle of."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from click.testing import CliRunner, Result

from kairos_lib.bench import execution
from kairos_lib.bench.plan import make_plan
from kairos_lib.bench.request import BenchRequest, suite_of
from kairos_lib.cli import main
from kairos_lib.launch.job import Job
from kairos_lib.launch.local import LocalLauncher
from kairos_lib.pipeline.cache import AFRESH
from kairos_lib.project import Project
from kairos_lib.runs import run
from kairos_lib.runs.files import write_record
from kairos_lib.runs.status import Status


def second_bench(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["bench", "--suite", "one", *arguments])


@pytest.fixture
def held_up(unloaded: Project, monkeypatch: pytest.MonkeyPatch) -> Iterator[FirstBench]:
    """A bench that is in the middle of its work, whose notebooks end well at once otherwise."""
    made = FirstBench(unloaded, monkeypatch)
    yield made
    made.go_on.set()


class FirstBench:
    """A bench in a thread, which waits in the notebook of one kind until it is told to go on."""

    def __init__(self, project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
        self.go_on = threading.Event()
        self.failed: list[int] = []
        self._project = project
        self._kind = ""
        self._waiting = threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True)
        monkeypatch.setattr(
            LocalLauncher, "_supervise", lambda here, job, *_: self._supervise(here.project, job)
        )

    def start(self, kind: str) -> None:
        self._kind = kind
        self._thread.start()
        assert self._waiting.wait(60)

    def end(self) -> None:
        self.go_on.set()
        self._thread.join(60)
        assert not self._thread.is_alive()

    def _supervise(self, project: Project, job: Job) -> Status:
        kind = job.run.folder.relative_to(project.runs).parts[0]
        job.run.file("found").write_text("before")
        if kind == self._kind and not self._waiting.is_set():
            self._waiting.set()
            self.go_on.wait(60)
            job.run.file("found").write_text("all")
        write_record(job.run.file("status.json"), Status(state="done"))
        return Status(state="done")

    def _work(self) -> None:
        planned = make_plan(self._project, suite_of(self._project, BenchRequest(suite="one")))
        self.failed.append(execution.carry_out(self._project, planned, Nobody()))


class Nobody:
    """Looks at no progress."""

    def begin(self, number: int, total: int, label: str) -> Nobody:
        return self

    def update(self, progress: object) -> None:
        pass

    def end(self, status: object) -> None:
        pass


@pytest.mark.parametrize("kind", ["base", "vlm"])
def test_fresh_leaves_alone_what_another_bench_is_in_the_middle_of(
    unloaded: Project, held_up: FirstBench, kind: str
) -> None:
    """Also the results that it has made so far, and still rests on."""
    held_up.start(kind)
    answer = second_bench("--fresh")
    assert answer.exit_code == 2
    (line,) = answer.stderr.splitlines()
    assert "another bench" in line
    assert line.endswith("wait for it to end")
    held_up.end()
    assert held_up.failed == [0]
    assert not list(unloaded.runs.rglob("*superseded*"))
    (found,) = unloaded.runs.glob(f"{kind}/**/found")
    assert found.read_text() == "all"


@pytest.mark.services
def test_fresh_leaves_alone_what_a_notebook_opened_by_hand_is_at_work_on(
    unloaded: Project, held_up: FirstBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "LOCK_WAIT_S", 0.1)
    (step,) = make_plan(unloaded, suite_of(unloaded, BenchRequest(suite="one"))).vlms
    lock = step.job.run.lock()
    answer = second_bench("--fresh")
    assert answer.exit_code == 2
    assert "another process is writing to" in answer.stderr
    assert step.job.run.file("key.json").exists()
    lock.release()


def test_fresh_sets_aside_what_nobody_is_at_work_on(
    unloaded: Project, held_up: FirstBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(execution, "analyse", lambda project, suite, *_: project.reports / suite)
    for times in range(3):
        answer = second_bench(*["--fresh"][:times])
        assert answer.exit_code == 0, answer.output
        assert len(list(unloaded.runs.glob("base/twelve/*superseded*/found"))) == times
        assert len(list(unloaded.runs.glob("vlm/tiny/twelve/*/r001.superseded*/found"))) == times
    (base,) = make_plan(unloaded, suite_of(unloaded, BenchRequest(suite="one"))).bases
    assert base.job.run.file(AFRESH).exists()
