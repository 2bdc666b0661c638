"""What a plan says, through the public door and in this process: nothing is started."""

from __future__ import annotations

import html
import itertools
import re
from pathlib import Path

import nbformat
import pytest
from click.testing import CliRunner, Result
from helpers.clips import COLOURS, write_clip
from helpers.projects import write_parameters
from helpers.reports import write_report
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from nbformat.v4 import new_code_cell, new_notebook, new_output

from kairos_lib.bench import execution, requirements
from kairos_lib.bench.display import plan_lines
from kairos_lib.bench.plan import make_plan
from kairos_lib.bench.request import BenchRequest, suite_of
from kairos_lib.cli import main
from kairos_lib.launch.job import Job
from kairos_lib.launch.local import LocalLauncher
from kairos_lib.pipeline.base_session import TRANSCRIPTS, BaseSession
from kairos_lib.pipeline.records import BaseResult
from kairos_lib.project import Project
from kairos_lib.runs import locks
from kairos_lib.runs.files import write_json, write_record
from kairos_lib.runs.run import EXECUTED
from kairos_lib.runs.status import Status


@pytest.fixture(autouse=True)
def no_forecasts(monkeypatch: pytest.MonkeyPatch) -> None:
    """What models need is asked elsewhere, and takes torch."""
    monkeypatch.setattr(requirements, "requirements_of", lambda *_: [])


def test_a_run_that_somebody_is_at_work_on_is_said_to_be(unloaded: Project) -> None:
    planned = make_plan(unloaded, suite_of(unloaded, BenchRequest(suite="one")))
    (step,) = planned.vlms
    step.job.run.create()
    assert step.why == "was cut short: goes on"
    for name, said in ((locks.RUNNER, "another bench"), (locks.WRITER, "a notebook")):
        with locks.take(step.job.run.folder, name, 0, ""):
            assert step.why == f"{said} is working on it"
            told = plan_lines(unloaded, planned)
            assert f"[bold]run[/]     tiny · twelve: {said} is working on it" in told[2]
    assert step.why == "was cut short: goes on"


def kairos(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments)


def spoil(project: Project) -> None:
    """Three more videos, none of which can be used."""
    folder = project.root / "videos"
    (folder / "noise.mp4").write_bytes(b"no video at all")
    write_parameters(project, "videos", "noise", {"title": "Noise", "path": "videos/noise.mp4"})
    write_parameters(project, "videos", "gone", {"title": "Gone", "path": "videos/gone.mp4"})
    write_parameters(project, "videos", "odd", {"title": "Odd", "pth": "videos/twelve.mp4"})


@pytest.fixture
def no_kernels(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Notebooks that end well at once; the labels of those that were started."""
    started: list[str] = []

    def run(here: LocalLauncher, job: Job, *_: object) -> Status:
        started.append(job.run.folder.relative_to(here.project.runs).parts[0])
        job.run.create()
        write_record(job.run.file("status.json"), Status(state="done"))
        return Status(state="done")

    def analyse(project: Project, suite: str, *_: object) -> Path:
        return project.reports / suite / "index.html"

    monkeypatch.setattr(LocalLauncher, "launch", run)
    monkeypatch.setattr(execution, "analyse", analyse)
    return started


def test_a_bad_video_is_named_and_the_others_run(unloaded: Project, no_kernels: list[str]) -> None:
    spoil(unloaded)
    answer = kairos("bench", "--suite", "one")
    assert answer.exit_code == 1
    named = {line.split(": ")[1]: line for line in answer.stderr.splitlines()}
    assert sorted(named) == ["gone", "noise", "odd"]
    assert "there is no video at 'videos/gone.mp4'" in named["gone"]
    assert "the key 'path' is missing" in named["odd"]
    assert no_kernels == ["base", "vlm"]
    last = answer.stdout.splitlines()[-1]
    assert last.startswith("3 of 4 videos could not be used; the report shows them: ")
    page = write_report(unloaded, "one").read_text()
    assert "Gone (there is no video at 'videos/gone.mp4'" in html.unescape(page)
    assert str(unloaded.root) not in page


def test_a_plan_names_bad_videos_too_and_debug_shows_the_cause(unloaded: Project) -> None:
    spoil(unloaded)
    answer = kairos("plan", "--suite", "one", "--debug")
    assert answer.exit_code == 1
    assert "left out  noise: " in answer.stdout
    assert "2 to run, 0 cached" in answer.stdout
    assert answer.stderr.count("Traceback") >= 3


def test_where_no_video_can_be_used_nothing_is_planned(unloaded: Project) -> None:
    spoil(unloaded)
    both = kairos("plan", "--model", "tiny", "--video", "gone,noise")
    assert both.exit_code == 2
    (line,) = both.stderr.splitlines()
    assert line.startswith("kairos: none of 2 videos can be used: gone: there is no video")
    one = kairos("plan", "--model", "tiny", "--video", "gone")
    assert one.stderr.startswith("kairos: there is no video at 'videos/gone.mp4'")


@given(start=st.integers(0, 4000), size=st.integers(0, 4000), noise=st.binary(max_size=40))
@settings(
    derandomize=True,
    deadline=None,
    max_examples=12,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_no_file_that_is_no_video_keeps_another_from_being_planned(
    unloaded: Project, start: int, size: int, noise: bytes
) -> None:
    whole = (unloaded.root / "videos" / "twelve.mp4").read_bytes()
    # Its index is at the end: a piece of the beginning is never a film.
    (unloaded.root / "x.mp4").write_bytes(noise + whole[start : start + size])
    planned = make_plan(
        unloaded,
        suite_of(unloaded, BenchRequest(model="tiny", video=f"{unloaded.root / 'x.mp4'},twelve")),
    )
    assert [one.name for one in planned.unusable] == ["x"]
    assert [step.video.name for step in planned.vlms] == ["twelve"]


@pytest.mark.parametrize("before", [True, False])
def test_debug_shows_what_went_wrong_in_a_kernel(
    unloaded: Project, no_kernels: list[str], monkeypatch: pytest.MonkeyPatch, before: bool
) -> None:
    failed = Status(state="failed", reason="error", message="no")

    def fail(here: LocalLauncher, job: Job, *_: object) -> Status:
        job.run.create()
        error = new_output("error", ename="E", evalue="no", traceback=["\x1b[31mdeep in a kernel"])
        cell = new_code_cell("x", outputs=[error])
        nbformat.write(new_notebook(cells=[cell]), job.run.file(EXECUTED))
        write_record(job.run.file("status.json"), failed)
        return failed

    monkeypatch.setattr(LocalLauncher, "launch", fail)
    request = ("bench", "--suite", "one")
    answer = kairos("--debug", *request) if before else kairos(*request, "--debug")
    assert answer.exit_code == 1
    assert "base · twelve:\ndeep in a kernel" in answer.stderr
    assert "deep in a kernel" not in kairos(*request).stderr


def test_stages_without_weights_are_told_in_the_plan_and_at_the_end(
    unloaded: Project, no_kernels: list[str]
) -> None:
    absent = {"weights": {"source": "hub", "id": "nobody/nothing"}}
    profile = {"title": "P", "stages": ["sounds", "objects"]}
    write_parameters(
        unloaded,
        "base",
        "plain",
        profile | {"sounds": absent, "objects": {"weights": dict(absent["weights"])}},
    )
    told = "sounds, objects, whose weights are not here: run `make fetch BASE=plain`"
    plan = kairos("plan", "--suite", "one")
    assert f"base · twelve: never run; skips {told}" in plan.stdout, plan.stderr
    last = kairos("bench", "--suite", "one").stdout.splitlines()[-1]
    assert last == f"report: {unloaded.reports / 'one' / 'index.html'} (without {told})"
    session = BaseSession.open("twelve", "plain")
    session.process()
    result = session.run.result(BaseResult)
    assert result is not None
    remedies = {report.name: report.remedy for report in result.stages if report.remedy}
    assert remedies == dict.fromkeys(("sounds", "objects"), "run `make fetch BASE=plain`")


def a_server(**server: object) -> dict[str, object]:
    return {
        "title": "Remote", "family": "openai", "weights": {"source": "server", "id": "m"},
        "prompt": {"instruction": "Describe."}, "base": "plain", "server": server,
    }  # fmt: skip


def test_a_missing_key_of_a_server_is_told_before_any_work(
    unloaded: Project, no_kernels: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    write_parameters(unloaded, "models", "remote", a_server(key_name="SOME_API_KEY"))
    write_parameters(unloaded, "models", "open", a_server(key_name=None))
    monkeypatch.setenv("SOME_API_KEY", " ")
    request = ("--model", "tiny,remote,open", "--video", "twelve")
    plan = kairos("plan", *request).stdout
    assert "remote · twelve: never run; SOME_API_KEY is not set" in plan
    assert plan.count("is not set") == 1
    answer = kairos("bench", *request)
    assert answer.exit_code == 2
    (line,) = answer.stderr.splitlines()
    assert line.startswith("kairos: SOME_API_KEY is not set, and remote · twelve needs it")
    assert no_kernels == []
    monkeypatch.setenv("SOME_API_KEY", "k")
    assert kairos("bench", *request).exit_code == 0
    # What is done needs no key any more.
    monkeypatch.delenv("SOME_API_KEY")
    assert kairos("bench", *request).exit_code == 0


@pytest.mark.parametrize(
    ("engine", "given", "missing"),
    [
        ("openai", {}, "OPENAI_API_KEY"),
        ("azure", {}, "AZURE_OPENAI_API_KEY"),
        ("azure", {"AZURE_OPENAI_API_KEY": "k"}, "AZURE_OPENAI_ENDPOINT"),
        ("openai", {"OPENAI_API_KEY": "k"}, ""),
        ("none", {}, ""),
    ],
)
def test_a_missing_key_of_a_speech_service_is_told_before_any_work(
    unloaded: Project,
    no_kernels: list[str],
    monkeypatch: pytest.MonkeyPatch,
    engine: str,
    given: dict[str, str],
    missing: str,
) -> None:
    for name in ("OPENAI_API_KEY", "AZURE_OPENAI_API_KEY", "AZURE_OPENAI_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    profile = {"title": "P", "stages": ["speech"], "speech": {"engine": engine}}
    write_parameters(unloaded, "base", "plain", profile)
    answer = kairos("bench", "--suite", "one")
    if not missing:
        assert answer.exit_code == 0
        return
    assert answer.exit_code == 2
    assert f"{missing} is not set, and base · twelve needs it" in answer.stderr
    assert no_kernels == []
    assert f"{missing} is not set" in kairos("plan", "--suite", "one").stdout
    # What was paid for can be had without a key: whether it is enough, only trying tells.
    write_json(unloaded.runs / TRANSCRIPTS / "0.json", {})
    assert kairos("bench", "--suite", "one").exit_code == 0


def suite_name(project: Project, **asked: str) -> str:
    return suite_of(project, BenchRequest(**asked)).name


def test_plain_requests_have_plain_names(unloaded: Project) -> None:
    write_parameters(unloaded, "models", "tiny_2-4bit", a_server())
    write_parameters(unloaded, "base", "other", {"title": "O"})
    assert suite_name(unloaded, model="tiny", video="twelve") == "tiny-twelve"
    assert (
        suite_name(unloaded, model="tiny,tiny_2-4bit", video="twelve") == "tiny-tiny-2-4bit-twelve"
    )
    assert suite_name(unloaded, suite="one") == "one"
    assert suite_name(unloaded, suite="one", model="tiny") == "one-tiny"
    assert suite_name(unloaded, suite="one", base="plain") == "one"
    assert suite_name(unloaded, suite="one", base="other") == "one-base-other"
    assert suite_name(unloaded, suite="one", weights="dummy") == "one-dummy"


def test_two_requests_that_differ_never_share_a_report(unloaded: Project) -> None:
    for name in ("a", "a-b", "a_b"):
        write_parameters(unloaded, "models", name, a_server())
    for name in ("b", "b-c", "c"):
        write_parameters(unloaded, "videos", name, {"title": name, "path": "videos/twelve.mp4"})
    write_parameters(unloaded, "suites", "a-c", {"title": "S", "models": ["a"], "videos": ["c"]})
    write_parameters(unloaded, "suites", "a", {"title": "S", "models": ["a"], "videos": ["c"]})
    write_parameters(unloaded, "base", "c", {"title": "C"})
    here, there = (write_clip(unloaded.root / f / "x.mp4", COLOURS[:2]) for f in "xy")
    models = ("", "a", "a-b", "a_b", "a*", "a,a-b")
    videos = ("", "b", "b-c", "b,c", "b*", str(here), str(there))
    names: dict[str, dict[str, str]] = {}
    for suite, model, video, base in itertools.product(("", "a", "a-c"), models, videos, ("", "c")):
        if not suite and not (model and video):
            continue
        asked = {"suite": suite, "model": model, "video": video, "base": base}
        name = suite_name(unloaded, **asked)
        assert name not in names, (asked, names[name])
        names[name] = asked
    assert all(re.fullmatch(r"[a-z0-9-]{1,67}", name) for name in names)


@given(stem=st.text(min_size=1, max_size=20), pattern=st.sampled_from(["tiny", "tiny*", "t*", "*"]))
@settings(
    derandomize=True,
    deadline=None,
    max_examples=40,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_whatever_a_file_is_called_its_report_is_its_own(
    unloaded: Project, stem: str, pattern: str
) -> None:
    first, second = f"{unloaded.root}/one/{stem}.mp4", f"{unloaded.root}/two/{stem}.mp4"
    found = {
        suite_name(unloaded, model=model, video=video)
        for model in ("tiny", pattern)
        for video in (first, second, "twelve")
    }
    assert len(found) == (3 if pattern == "tiny" else 6)
