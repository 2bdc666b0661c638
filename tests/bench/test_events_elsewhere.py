"""Event spotting handed to a cluster: each node plans again, and slices are put away in the end."""

from __future__ import annotations

import pytest
from helpers.light_meter import TASK, LightMeter
from helpers.projects import write_parameters
from helpers.submissions import CLUSTER, Row, submitted

from kairos_lib.bench import handing_over
from kairos_lib.bench.events_plan import EventsRequest
from kairos_lib.bench.events_request import events_suite
from kairos_lib.bench.node_task import run_task
from kairos_lib.bench.status_lines import Seen, lines
from kairos_lib.bench.submission import Place, new_place, submission_of
from kairos_lib.bench.verdicts import Verdicts
from kairos_lib.events.events_session import EventsSession
from kairos_lib.launch.job import Job
from kairos_lib.project import Project
from kairos_lib.results import suite as suites
from kairos_lib.runs.files import write_record
from kairos_lib.runs.status import Status


class Node:
    """Runs notebooks as a kernel would, in this process."""

    def launch(self, job: Job, *_: object) -> Status:
        session = EventsSession.open("tiny", "twelve", "light", job.parameters["part"])
        session.load(LightMeter())
        session.ask()
        session.merge()
        session.finish()
        write_record(session.run.file("status.json"), Status(state="done"))
        return Status(state="done")


@pytest.fixture
def handed(unloaded: Project) -> Place:
    write_parameters(unloaded, "events", "light", TASK)
    asked = EventsRequest(task="light", slices=2)
    suite = events_suite(unloaded, asked, "tiny", "twelve")
    planned = handing_over.planned_for(unloaded, suite, False, asked)
    place = new_place(unloaded, suite.name)
    write_record(place.plan, submission_of(planned, "slurm:here", CLUSTER, False))
    return place


def test_slices_are_tasks_of_the_first_wave_and_what_puts_them_together_of_the_second(
    handed: Place,
) -> None:
    tasks = handed.submission().tasks
    assert [(task.planned.kind, task.wave, task.after) for task in tasks] == [
        ("slice", 0, ()), ("slice", 0, ()), ("events", 1, (0, 1)),
    ]  # fmt: skip
    assert all(task.planned.folder == "" for task in tasks)


def test_the_manifest_names_the_whole_run_alone_once_it_is_done(
    handed: Place, unloaded: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handing_over, "analyse", lambda *_: unloaded.reports)
    for number in range(3):
        attempt = run_task(unloaded, handed, number, 1, Row(), launcher=Node())
        assert attempt.fate == "done", attempt.message
    submitted(handed, 0, 1, 0, 1)
    submitted(handed, 1, 1, 2)
    ended = handing_over.finish(unloaded, handed, Row())
    assert (ended.failed, ended.problem) == (0, "")
    manifest = suites.manifest(unloaded, handed.submission().suite.name)
    assert [step.kind for step in manifest.steps] == ["events"]
    assert not list(unloaded.runs.glob("events/tiny/twelve/*/slices"))


def test_status_says_how_many_events_there_are_so_far(handed: Place, unloaded: Project) -> None:
    def shown() -> list[str]:
        found = Verdicts.read(handed, handed.submission())
        told = lines(unloaded, Seen(found, None))
        return [line for line in told if "so far" in line]

    assert shown() == []
    run_task(unloaded, handed, 0, 1, Row(), launcher=Node())
    assert shown() == ["events of tiny on twelve so far: 2 in 6 windows"]
    # One that was killed just after it had gathered them: no window counts twice.
    (answered,) = unloaded.runs.glob("events/tiny/twelve/*/slices/*/windows.jsonl")
    gathered = answered.parents[2] / answered.name
    gathered.write_bytes(answered.read_bytes())
    assert shown() == ["events of tiny on twelve so far: 2 in 6 windows"]
    gathered.unlink()
    run_task(unloaded, handed, 1, 1, Row(), launcher=Node())
    run_task(unloaded, handed, 2, 1, Row(), launcher=Node())
    (whole,) = unloaded.runs.glob("events/tiny/twelve/*/events.jsonl")
    events = len(whole.read_text().splitlines())
    assert shown() == [f"events of tiny on twelve so far: {events} in 12 windows"]


def test_slices_are_named_where_the_whole_run_is_not_done(
    handed: Place, unloaded: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handing_over, "analyse", lambda *_: unloaded.reports)
    run_task(unloaded, handed, 0, 1, Row(), launcher=Node())
    submitted(handed, 0, 1, 0, 1)
    ended = handing_over.finish(unloaded, handed, Row())
    assert ended.failed == 2
    manifest = suites.manifest(unloaded, handed.submission().suite.name)
    assert [(step.kind, bool(step.problem)) for step in manifest.steps] == [
        ("slice", False), ("slice", True), ("events", True),
    ]  # fmt: skip
