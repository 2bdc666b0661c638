"""The report of a suite that spots events: two models, of which one is short-sighted."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner
from helpers.light_meter import TASK, LightMeter
from helpers.projects import fill, make_project, tiny_model, write_parameters

from kairos_lib import formats
from kairos_lib.bench import execution
from kairos_lib.bench.events_plan import EventsRequest, plan_events
from kairos_lib.bench.events_request import events_suite
from kairos_lib.cli import main
from kairos_lib.events.events_session import EventsSession
from kairos_lib.events.formats import read_events
from kairos_lib.parameters.settings import Changes
from kairos_lib.project import Project
from kairos_lib.report.events_report import EventsReport
from kairos_lib.report.executed import analysis_notebook
from kairos_lib.report.sections import spotting as sections
from kairos_lib.results import suite as suites
from kairos_lib.results.spotted import spotted, voted
from kairos_lib.runs.files import write_record
from kairos_lib.runs.status import Status

TRUTH = "label,time_s\nDark,7.4\nBright,4.5\nBright,10.4\n"
HOSTILE = '<script>alert("x")</script>'
ASKED = EventsRequest(task="light", temperatures=(0.0, 1.5))
METERS = {"tiny": LightMeter(dark=40, bright=150), "short": LightMeter(dark=0, bright=120)}


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory, clip: Path) -> Project:
    """Two models over one video, done; a third that was never run."""
    root = tmp_path_factory.mktemp("spotted")
    weights = root / "weights"
    weights.mkdir()
    (weights / "model.safetensors").write_bytes(b"weights")
    project = make_project(root / "project")
    fill(project, clip, weights)
    write_parameters(project, "events", "light", TASK)
    for name in ("short", "third"):
        write_parameters(project, "models", name, tiny_model(weights, title=f"{name} {HOSTILE}"))
    (project.root / "videos" / "twelve.csv").write_text(TRUTH)
    video = {
        "title": f"Twelve {HOSTILE}",
        "path": "videos/twelve.mp4",
        "events": "videos/twelve.csv",
    }
    write_parameters(project, "videos", "twelve", video)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KAIROS_ROOT", str(project.root))
        # At another temperature the one finds nothing that is bright.
        warm: dict[str, Changes] = {"task": {"sampling": {"temperature": 1.5}}}
        trial = ("tiny", LightMeter(dark=40, bright=300), warm)
        for name, meter, changes in [*((n, m, {}) for n, m in METERS.items()), trial]:
            session = EventsSession.open(name, "twelve", "light", changes=changes)
            session.load(meter)
            session.ask()
            session.merge()
            session.finish()
            write_record(session.run.file("status.json"), Status(state="done"))
        suite = events_suite(project, ASKED, "tiny,short,third", "twelve", "")
        suite = suite.model_copy(update={"name": "light"})
        execution.write_manifest(project, plan_events(project, suite, ASKED), {})
    return project


@pytest.fixture
def report(ready: Project, monkeypatch: pytest.MonkeyPatch) -> EventsReport:
    monkeypatch.setenv("KAIROS_ROOT", str(ready.root))
    return EventsReport.open("light")


def text(piece: object) -> str:
    return piece._repr_html_()  # type: ignore[attr-defined, no-any-return]


def test_what_was_found_is_held_against_what_happens(ready: Project) -> None:
    tiny, short, third = spotted(suites.read(ready, "light"))
    assert tiny.measures is not None
    assert tiny.measures.scores.of("Dark").f1 == 1.0
    assert tiny.measures.scores.of("Bright").true == 2
    assert short.measures is not None
    assert short.measures.scores.of("Dark").recall == 0.0
    assert tiny.ceiling is not None
    assert tiny.ceiling.scores.macro_f1 == 1.0
    assert third.measures is None
    assert third.result is None


def test_it_says_in_a_sentence_how_right_each_model_is(report: EventsReport) -> None:
    page = text(report.overview())
    assert "of 3 that happen were found within 5 s" in page
    assert "of at most" in page
    assert "no result (not run)" in page


def test_every_table_and_chart_is_there_and_nothing_of_others_is_html(
    report: EventsReport,
) -> None:
    made = (report.overview, report.found, report.timelines, report.scores, report.ensemble,
            report.provenance)  # fmt: skip
    page = "".join(text(section()) for section in made)
    assert "<script>" not in page
    for words in ("Each model over each video", "What the answers came to", "Runs without a result",
                  "How right it is, label by label", "With another merge radius",
                  "what models agree on", "the vote beside its voters",
                  "found by one model alone"):  # fmt: skip
        assert words in page
    assert 'aria-labelledby="timeline-0-title' in page
    assert 'aria-labelledby="precision-recall-title' in page
    pictures = re.findall(r'<img src="([^"]+)" alt="Dark at', page)
    assert pictures
    assert all((report._notebook_folder / picture).is_file() for picture in pictures)


def test_it_says_what_another_temperature_comes_to(ready: Project, report: EventsReport) -> None:
    page = text(report.scores())
    table = page[page.index("With another temperature") :]
    rows = [re.findall(r"<t[dh][^>]*>([^<]*)</t[dh]>", row) for row in table.split("<tr")]
    columns, *shown = [row for row in rows if len(row) == 5]
    tiny = spotted(suites.read(ready, "light"))[0]
    bright = sum(event.label == "Bright" for event in tiny.events)
    assert columns[3:] == ["0", "1.5"]
    events = next(row for row in shown if row[2] == "Events")
    assert events[3:] == [str(len(tiny.events)), str(len(tiny.events) - bright)]
    f1 = next(row for row in shown if row[2] == "F1")
    assert f1[4] == "50.0%"


def test_models_vote_by_the_weights_of_the_task(ready: Project, report: EventsReport) -> None:
    tiny, short, _ = spotted(suites.read(ready, "light"))
    alike = {one.event.time_s: one.event.confidence for one in voted([tiny, short])}
    task = tiny.task.model_copy(update={"model_weights": {"tiny": 3.0}})
    counted = {
        one.event.time_s: one.event.confidence for one in voted([replace(tiny, task=task), short])
    }
    dark = next(event for event in tiny.events if event.label == "Dark")
    assert alike[dark.time_s] == pytest.approx(dark.confidence / 2, abs=1e-4)
    assert counted[dark.time_s] == pytest.approx(dark.confidence * 3 / 4, abs=1e-4)


def test_the_events_are_written_beside_the_report(report: EventsReport, ready: Project) -> None:
    report.finish()
    lines = (ready.reports / "light" / "events.csv").read_text().splitlines()
    assert lines[0].startswith("model,video,task,label,time_s")
    found = {line.split(",")[0] for line in lines[1:]}
    assert found == {"tiny", "short"}


def test_a_suite_of_events_has_a_notebook_of_its_own(ready: Project) -> None:
    assert analysis_notebook(suites.manifest(ready, "light")) == "events-analysis.ipynb"
    assert (ready.notebooks / "events-analysis.ipynb").is_file()


def test_another_truth_makes_another_report_and_no_other_run(
    ready: Project, report: EventsReport, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = ready.root / "videos" / "twelve.csv"
    suite = suites.manifest(ready, "light")
    named = events_suite(ready, ASKED, "tiny,short,third", "twelve", "")
    named = named.model_copy(update={"name": suite.name})
    path.write_text(TRUTH + "Dark,1.0\n")
    try:
        planned = plan_events(ready, named, ASKED)
        assert [step.cached for step in planned.steps] == [True, True, True, False, False, False]
        execution.write_manifest(ready, planned, {})
        again = EventsReport.open("light")
        assert again.run.key != report.run.key
        assert "of 4 that happen" in text(again.overview())
    finally:
        path.write_text(TRUTH)
        execution.write_manifest(ready, plan_events(ready, named, ASKED), {})


def test_a_part_is_scored_by_what_happens_in_it(
    ready: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KAIROS_ROOT", str(ready.root))
    part = {"from_s": 6.0, "to_s": 9.0}
    session = EventsSession.open("tiny", "twelve", "light", part)
    session.load(METERS["tiny"])
    session.ask()
    session.merge()
    session.finish()
    write_record(session.run.file("status.json"), Status(state="done"))
    asked = EventsRequest(task="light", from_s=6.0, to_s=9.0)
    suite = events_suite(ready, asked, "tiny", "twelve", "")
    execution.write_manifest(ready, plan_events(ready, suite, asked), {})
    (found,) = spotted(suites.read(ready, suite.name))
    assert found.measures is not None
    # Of the three events of the whole video one is in the windows, which end at 10 s.
    assert (found.measures.scores.micro.true, found.measures.scores.micro.recall) == (1, 1.0)
    assert found.result is not None
    assert found.result.asked_s == pytest.approx(4.0)
    slow = replace(found, result=found.result.model_copy(update={"time_s": 8.0}))
    table = text(sections.found(suites.read(ready, suite.name), [slow]))
    assert formats.factor(2.0) in table  # Twice the four seconds, not two thirds of all twelve.
    assert formats.factor(8.0 / 12) not in table


def test_events_are_exported_as_chapters_as_soccernet_has_them_and_as_csv(
    ready: Project, report: EventsReport, tmp_path: Path
) -> None:
    asked = ("--suite", "light", "--out", str(tmp_path), "--model", "tiny,third")
    answer = CliRunner().invoke(main, ["export", *asked, "--format", "chapters,soccernet,csv"])
    assert answer.exit_code == 0, answer.output
    assert "left out: events of third on twelve: not run" in answer.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "twelve.tiny.chapters.vtt", "twelve.tiny.events.csv", "twelve.tiny.soccernet.json",
    ]  # fmt: skip
    read = read_events(tmp_path / "twelve.tiny.soccernet.json")
    found = spotted(suites.read(ready, "light"))[0].events
    assert [(e.label, e.time_s) for e in read] == [(e.label, e.time_s) for e in found]
    assert (tmp_path / "twelve.tiny.chapters.vtt").read_text().startswith("WEBVTT")
