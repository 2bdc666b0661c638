"""Many videos, and slices of one: what is done is not done again, and what is left is done."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from helpers.clips import COLOURS, write_clip
from helpers.light_meter import TASK, LightMeter
from helpers.projects import write_parameters

from kairos_lib.bench import execution
from kairos_lib.cli import main
from kairos_lib.events.events_session import EventsSession
from kairos_lib.launch.job import Job
from kairos_lib.launch.local import LocalLauncher
from kairos_lib.project import Project
from kairos_lib.runs.files import write_record
from kairos_lib.runs.status import Status

DONE, HALF, CORRUPT = range(10), range(10, 13), 20


@pytest.fixture
def ready(unloaded: Project, tmp_path: Path) -> Project:
    (unloaded.parameters / "videos" / "twelve.yaml").unlink()
    write_parameters(unloaded, "events", "light", {**TASK, "batch_size": 1})
    short = write_clip(tmp_path / "short.mp4", COLOURS[6:9]).read_bytes()
    for number in range(40):
        path = unloaded.root / "videos" / f"game-{number}.mp4"
        path.write_bytes(b"garbage" * 999 if number == CORRUPT else short)
        video = {"title": f"Game {number}", "path": f"videos/game-{number}.mp4"}
        write_parameters(unloaded, "videos", f"game-{number}", video)
    return unloaded


def work(video: str, stops_after: int = 10**6, part: dict[str, object] | None = None) -> LightMeter:
    """What a kernel would do."""
    meter = LightMeter(stops_after)
    session = EventsSession.open("tiny", video, "light", part)
    try:
        session.load(meter)
        session.ask()
        session.merge()
        session.finish()
        write_record(session.run.file("status.json"), Status(state="done"))
    except KeyboardInterrupt:
        pass
    finally:
        session.lock.release()
    return meter


@pytest.mark.services
def test_what_is_left_is_done_and_the_one_that_is_no_video_is_named(
    ready: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in DONE:
        work(f"game-{number}")
    for number in HALF:
        work(f"game-{number}", stops_after=1)
    asked: dict[str, list[list[int]]] = {}

    def supervise(here: LocalLauncher, job: Job, *_: object) -> Status:
        video = job.parameters["video"]
        asked[video] = work(video).asked
        return Status(state="done")

    monkeypatch.setattr(LocalLauncher, "_supervise", supervise)
    monkeypatch.setattr(execution, "analyse", lambda project, suite, *_: project.reports / suite)
    command = ["events", "--model", "tiny", "--video", "game-[0..39]", "--task", "light"]
    answer = CliRunner().invoke(main, command)
    assert answer.exit_code == 1
    assert "left out: game-20: " in answer.stderr
    assert "1 of 40 videos could not be used" in answer.stdout
    assert {int(name.removeprefix("game-")) for name in asked} == {*range(10, 40)} - {CORRUPT}
    found = [path.read_bytes() for path in ready.runs.glob("events/tiny/*/*/events.jsonl")]
    assert len(found) == 39
    assert len(set(found)) == 1
    again = CliRunner().invoke(main, command)
    assert again.exit_code == 1
    assert len(asked) == 29


def test_slices_are_put_away_once_all_is_done_and_planned_again_only_afresh(
    unloaded: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_parameters(unloaded, "events", "light", TASK)
    done: list[int] = []

    def supervise(here: LocalLauncher, job: Job, *_: object) -> Status:
        part = job.parameters["part"]
        done.append(part["slice"])
        asked = work(job.parameters["video"], part=part).asked
        assert bool(asked) == bool(part["slice"])
        return Status(state="done")

    monkeypatch.setattr(LocalLauncher, "_supervise", supervise)
    monkeypatch.setattr(execution, "analyse", lambda project, suite, *_: project.reports / suite)
    command = ["events", "--model", "tiny", "--video", "twelve", "--task", "light"]

    def run(*more: str) -> list[int]:
        done.clear()
        answer = CliRunner().invoke(main, [*command, "--slices", "2", *more])
        assert answer.exit_code == 0, answer.output
        (path,) = (unloaded.runs / "suites").glob("events-*.json")
        assert [step["kind"] for step in json.loads(path.read_text())["steps"]] == ["events"]
        return list(done)

    assert run() == [1, 2, 0]
    (first,) = unloaded.runs.glob("events/tiny/twelve/*/events.jsonl")
    whole = first.read_bytes()
    assert whole
    assert run() == []
    assert run("--fresh") == [1, 2, 0]
    assert first.read_bytes() == whole
    assert len(list(unloaded.runs.glob("events/tiny/twelve/*superseded*/events.jsonl"))) == 1
