"""`kairos base`: base processing alone, and the page of what was found."""

import re
import shutil
import sys
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner, Result
from helpers.projects import PLAIN_BASE, write_parameters

from kairos_lib.bench import base_alone
from kairos_lib.cli import main
from kairos_lib.errors import KairosError
from kairos_lib.launch.job import Job
from kairos_lib.parameters.loading import video
from kairos_lib.pipeline.base_session import video_facts
from kairos_lib.pipeline.records import BaseResult, StageReport
from kairos_lib.project import Project
from kairos_lib.runs.files import read_record, write_bytes, write_record
from kairos_lib.runs.status import Status

STAGES = (
    StageReport(name="scenes", state="done"),
    StageReport(name="speech", state="skipped", reason="it is not here", remedy="run `make fetch`"),
)


@pytest.fixture(autouse=True)
def pages(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The run folders that pages are written of; what is in a page is tested with the pages."""
    written: list[Path] = []

    def write_video_page(project: Project, run_folder: Path, out: Path) -> Path:
        assert read_record(run_folder / "result.json", BaseResult) is not None
        written.append(run_folder)
        write_bytes(out, b"<!doctype html>")
        return out

    stand_in = SimpleNamespace(write_video_page=write_video_page)
    monkeypatch.setitem(sys.modules, "kairos_lib.report.video_page", stand_in)
    return written


class Notebooks:
    """A launcher whose notebooks end at once, with the stages that they are told."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.launched: list[Job] = []
        self.stages: tuple[StageReport, ...] | None = STAGES

    def launch(self, job: Job, watch: Any, stopped: threading.Event | None = None) -> Status:
        self.launched.append(job)
        if job.afresh is not None:
            job.run.set_aside()
        job.run.create()
        failed = self.stages is None or any(s.state == "failed" for s in self.stages)
        if self.stages is not None:
            seen = video(self.project, job.parameters["video"])
            write_record(
                job.run.file("result.json"),
                BaseResult(
                    key=job.run.key, video=seen.name, title=seen.title,
                    facts=video_facts(self.project, seen), profile=job.parameters["base"],
                    scenes=1, stages=self.stages, decode_s=1.0, total_s=1.0,
                ),
            )  # fmt: skip
        status = Status(
            state="failed" if failed else "done", reason="error" if failed else None, message="why"
        )
        write_record(job.run.file("status.json"), status)
        return status


@pytest.fixture
def notebooks(unloaded: Project, monkeypatch: pytest.MonkeyPatch) -> Notebooks:
    made = Notebooks(unloaded)
    monkeypatch.setattr(base_alone, "LocalLauncher", lambda project: made)
    return made


def base(*words: str, **environment: str) -> Result:
    return CliRunner().invoke(main, ["base", *words], env=environment)


@pytest.mark.services
def test_a_video_is_processed_with_no_model_and_shown_on_a_page(unloaded: Project) -> None:
    """With a real kernel, as make calls it: by the environment."""
    answer = base(KAIROS_VIDEO="twelve", KAIROS_BASE="plain")
    assert answer.exit_code == 0, answer.output
    (page,) = (unloaded.reports / "base").glob("twelve-*/index.html")
    assert answer.stdout.splitlines()[-1] == f"page: {page}"
    assert page.exists()
    (folder,) = (unloaded.runs / "base" / "twelve").glob("*/result.json")
    result = read_record(folder, BaseResult)
    assert result is not None
    assert result.scenes == 12
    assert not (unloaded.runs / "vlm").exists()
    assert not (unloaded.runs / "suites").exists()


def test_what_is_done_is_not_run_again_unless_it_is_asked_for(
    unloaded: Project, notebooks: Notebooks, pages: list[Path]
) -> None:
    words = ("--video", "twelve", "--base", "plain")
    assert base(*words).exit_code == 0
    assert base(*words).exit_code == 0
    assert (len(notebooks.launched), len(pages)) == (1, 2)
    assert base(*words, "--fresh").exit_code == 0
    assert len(notebooks.launched) == 2
    assert list((unloaded.runs / "base" / "twelve").glob("*superseded*"))


def test_skipped_stages_are_named_with_their_reason_and_remedy(notebooks: Notebooks) -> None:
    answer = base("--video", "twelve", "--base", "plain")
    assert answer.exit_code == 0
    assert "skipped: speech: it is not here: run `make fetch`" in answer.stdout.splitlines()


def test_a_failed_stage_is_an_exit_code_and_the_page_shows_the_rest(
    notebooks: Notebooks, pages: list[Path]
) -> None:
    failed = StageReport(name="sounds", state="failed", reason="the disk is full")
    notebooks.stages = (*STAGES, failed)
    answer = base("--video", "twelve", "--base", "plain")
    assert answer.exit_code == 1
    assert "failed: sounds: the disk is full" in answer.stderr
    assert len(pages) == 1


def test_a_notebook_that_ends_without_a_result_is_an_exit_code_and_has_no_page(
    unloaded: Project, notebooks: Notebooks, pages: list[Path]
) -> None:
    notebooks.stages = None
    answer = base("--video", "twelve", "--base", "plain")
    assert answer.exit_code == 1
    assert "failed 1/1 base · twelve" in answer.stdout
    assert not pages


def test_the_plan_starts_nothing_and_names_the_page(
    unloaded: Project, notebooks: Notebooks
) -> None:
    answer = base("--video", "twelve", "--base", "plain", KAIROS_DRY_RUN="1")
    assert answer.exit_code == 0
    assert "base · twelve: never run" in answer.stdout
    last = r"1 to run, 0 cached, then the page: reports/base/twelve-[0-9a-f]{6}/index\.html"
    assert re.fullmatch(last, answer.stdout.splitlines()[-1])
    assert not notebooks.launched


def test_the_plan_says_which_weights_are_missing_and_how_to_get_them(
    unloaded: Project, notebooks: Notebooks
) -> None:
    lost = {"source": "package", "id": "kn-none==1", "file": "a", "sha256": "0" * 64}
    values = {**PLAIN_BASE, "stages": ["scenes", "speech"], "speech": {"weights": lost}}
    write_parameters(unloaded, "base", "lost", values)
    answer = base("--video", "twelve", "--base", "lost", "--dry-run")
    told = "skips speech, whose weights are not here: run `make fetch BASE=lost`"
    assert told in answer.stdout


def test_an_unusable_video_keeps_no_other_from_being_processed(
    unloaded: Project, notebooks: Notebooks
) -> None:
    (unloaded.root / "broken.mp4").write_bytes(b"no video")
    answer = base("--video", "twelve,broken.mp4", "--base", "plain")
    assert answer.exit_code == 1
    assert answer.stderr.startswith("left out: broken: ")
    assert [job.parameters["video"] for job in notebooks.launched] == ["twelve"]


def test_several_videos_have_a_page_each(unloaded: Project, notebooks: Notebooks) -> None:
    shutil.copy(unloaded.root / "videos" / "twelve.mp4", unloaded.root / "My film.mp4")
    answer = base("--video", "twelve,My film.mp4", "--base", "plain")
    assert answer.exit_code == 0
    pages = (unloaded.reports / "base").glob("*/index.html")
    names = sorted(page.parent.name for page in pages)
    assert [name.rpartition("-")[0] for name in names] == ["my-film", "twelve"]


def test_a_page_that_cannot_be_written_keeps_no_other_video_from_being_processed(
    unloaded: Project, notebooks: Notebooks, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write_video_page(project: Project, run_folder: Path, out: Path) -> Path:
        if out.parent.name.startswith("twelve"):
            raise KairosError("the disk is full")
        return out

    stand_in = SimpleNamespace(write_video_page=write_video_page)
    monkeypatch.setitem(sys.modules, "kairos_lib.report.video_page", stand_in)
    shutil.copy(unloaded.root / "videos" / "twelve.mp4", unloaded.root / "film.mp4")
    answer = base("--video", "twelve,film.mp4", "--base", "plain")
    assert answer.exit_code == 1
    assert answer.stderr.splitlines() == ["failed: page of twelve: the disk is full"]
    assert len(notebooks.launched) == 2
    (page,) = (line for line in answer.stdout.splitlines() if line.startswith("page: "))
    assert "/film-" in page


def test_another_profile_leaves_the_first_ones_page(
    unloaded: Project, notebooks: Notebooks
) -> None:
    write_parameters(unloaded, "base", "other", {**PLAIN_BASE, "scenes": {"min_scene_s": 2.0}})
    for profile in ("plain", "other"):
        assert base("--video", "twelve", "--base", profile).exit_code == 0
    assert len(list((unloaded.reports / "base").glob("twelve-*/index.html"))) == 2


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ((), "VIDEO is not given: the path of a file, or a name (known: twelve)"),
        (("--video", "twelv", "--base", "plain"), "did you mean 'twelve'?"),
        (("--video", "twelve", "--base", "plan"), "unknown base 'plan': did you mean 'plain'?"),
        (("--video", "twelve"), "unknown base 'default'"),
        (("--video", "none.mp4", "--base", "plain"), "none.mp4"),
    ],
)
def test_what_cannot_be_is_one_line(
    notebooks: Notebooks, words: tuple[str, ...], expected: str
) -> None:
    answer = base(*words)
    assert answer.exit_code == 2
    (line,) = answer.stderr.splitlines()
    assert expected in line
