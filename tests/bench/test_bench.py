"""The whole path through the public door: `kairos bench` on a small video, as make calls it."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from helpers.clips import COLOURS, bad_files, write_clip
from helpers.projects import fill, make_project, short_report, tiny_model, write_parameters

from kairos_lib.project import Project
from kairos_lib.runs.files import read_record
from kairos_lib.runs.journal import Journal
from kairos_lib.vlm.records import FusedScene, VlmResult

Answer = subprocess.CompletedProcess[str]


def kairos(project: Project, *arguments: str, **environment: str) -> Answer:
    return subprocess.run(
        [sys.executable, "-m", "kairos_lib.cli", *arguments],
        cwd=project.root,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=300,
    )


def statuses(project: Project) -> dict[str, int]:
    """Each run's status file and when it was written: a run that starts removes it."""
    return {
        str(path.relative_to(project.runs)): path.stat().st_mtime_ns
        for path in project.runs.glob("**/status.json")
    }


@pytest.fixture(scope="module")
def benched(
    tmp_path_factory: pytest.TempPathFactory, clip: Path, llava_weights: Path, forecasts: Path
) -> tuple[Project, Answer]:
    """A project after its first bench: two models over one video."""
    project = make_project(tmp_path_factory.mktemp("bench") / "project")
    fill(project, clip, llava_weights, forecasts)
    write_parameters(
        project, "models", "tiny-4bit", tiny_model(llava_weights, quantisation="nf4", title="Tiny4")
    )
    suite = {"title": "One", "models": ["tiny*"], "videos": ["twelve"], "price_per_hour": 0.5}
    write_parameters(project, "suites", "one", suite)
    return project, kairos(project, "bench", "--suite", "one")


def test_a_bench_ends_with_the_path_of_its_report(benched: tuple[Project, Answer]) -> None:
    project, answer = benched
    assert answer.returncode == 0, answer.stderr
    index = project.reports / "one" / "index.html"
    assert answer.stdout.splitlines()[-1] == f"report: {index}"
    page = index.read_text()
    assert "Tiny4" in page
    assert "USD per video hour" in page
    assert page.count("data:image/jpeg") >= 24
    assert (project.reports / "one" / "summary.csv").exists()


def test_every_notebook_leaves_its_executed_copy(benched: tuple[Project, Answer]) -> None:
    project, _ = benched
    executed = {path.parent.relative_to(project.runs).parts[0] for path in
                project.runs.glob("**/notebook.ipynb")}  # fmt: skip
    assert executed == {"base", "vlm", "analysis"}


def test_each_model_has_captions_of_every_scene(benched: tuple[Project, Answer]) -> None:
    project, _ = benched
    for model in ("tiny", "tiny-4bit"):
        (folder,) = (project.runs / "vlm" / model / "twelve").glob("*/r001")
        fused = list(Journal(folder / "fused.jsonl", FusedScene))
        assert [f.scene.index for f in fused] == list(range(12))
        result = read_record(folder / "result.json", VlmResult)
        assert result is not None
        assert result.resources.samples > 0
        assert result.resources.peak_ram_mib > 100


def test_a_second_bench_with_nothing_changed_starts_no_kernel(
    benched: tuple[Project, Answer],
) -> None:
    project, first = benched
    before = statuses(project)
    again = kairos(project, "bench", "--suite", "one")
    assert statuses(project) == before
    assert again.stdout.splitlines() == first.stdout.splitlines()[-1:]


def test_the_plan_starts_nothing_and_says_what_is_cached(benched: tuple[Project, Answer]) -> None:
    project, _ = benched
    before = statuses(project)
    plan = kairos(project, "bench", KAIROS_SUITE="one", KAIROS_REPEATS="2", KAIROS_DRY_RUN="1")
    rows = [line.split()[0] for line in plan.stdout.splitlines()]
    assert [row for row in rows if row in ("cached", "run")] == ["cached"] * 3 + ["run"] * 2
    assert statuses(project) == before


@pytest.mark.services
def test_another_round_runs_in_kernels_of_its_own_interleaved_across_models(
    benched: tuple[Project, Answer],
) -> None:
    project, _ = benched
    with short_report(project):
        answer = kairos(project, "bench", "--suite", "one", "--repeats", "2")
    assert answer.returncode == 0, answer.stderr
    started = [line for line in answer.stdout.splitlines() if line.endswith("starts")]
    assert [line.split(" ", 1)[1] for line in started[:2]] == [
        "tiny · twelve · round 2 starts",
        "tiny-4bit · twelve · round 2 starts",
    ]
    assert len(list((project.runs / "vlm" / "tiny" / "twelve").glob("*/r002"))) == 1


@pytest.mark.services
def test_an_edited_cell_leads_to_a_new_run_and_the_old_one_stays(
    benched: tuple[Project, Answer],
) -> None:
    project, _ = benched
    notebook = project.notebooks / "vlm.ipynb"
    original = notebook.read_text()
    edited = json.loads(original)
    edited["cells"][-1]["source"] = ["session.finish()\n", "print('edited by a researcher')"]
    try:
        notebook.write_text(json.dumps(edited))
        plan = kairos(project, "bench", "--suite", "one", "--dry-run")
        assert "changed: notebook" in plan.stdout
        with short_report(project):
            answer = kairos(project, "bench", "--model", "tiny", "--video", "twelve")
        assert answer.returncode == 0, answer.stderr
    finally:
        notebook.write_text(original)
    runs = list((project.runs / "vlm" / "tiny" / "twelve").glob("*/r001"))
    assert len(runs) == 2
    assert any("edited by a researcher" in (r / "notebook.ipynb").read_text() for r in runs)


@pytest.mark.services
def test_fresh_runs_again_and_sets_the_old_results_aside(benched: tuple[Project, Answer]) -> None:
    project, _ = benched
    before = statuses(project)
    again = {"KAIROS_MODEL": "tiny", "KAIROS_VIDEO": "twelve", "KAIROS_FRESH": "1"}
    with short_report(project):
        answer = kairos(project, "bench", **again)
    assert answer.returncode == 0, answer.stderr
    aside = [name for name in statuses(project) if "superseded" in name]
    assert {name.split("/")[0] for name in aside} == {"base", "vlm"}
    assert any(before[name] != at for name, at in statuses(project).items() if name in before)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--model", "tinny", "--video", "twelve"], "did you mean 'tiny'? (known: tiny)"),
        (["--model", "tiny", "--video", "twelv"], "did you mean 'twelve'? (known: twelve)"),
        (["--suite", "ones"], "did you mean 'one'?"),
        (["--model", "tiny"], "VIDEO is not given: name one of twelve"),
        (["--video", "twelve"], "MODEL is not given: name one of tiny"),
        (["--suite", "one", "--repeats", "0"], "REPEATS must be a whole number"),
        (["--suite", "one", "--repeats", "99999999"], "from 1 to 1000"),
        (["--suite", "one", "--model-id", "a/b"], "MODEL_ID goes with MODEL=auto and VIDEO"),
        (["--model", "tiny", "--model-id", "a/b", "--video", "twelve"], "MODEL_ID goes with MODEL"),
        (["--suite", "one", "--weights", "dumb"], "there are only own and dummy weights"),
        (["--model", ",", "--video", "twelve"], "MODEL is not given"),
        (["--model", "tiny", "--video", ","], "VIDEO is not given"),
        (["--model", "tiny", "--video", "a" * 300 + ".mp4"], "cannot be read"),
        (["--model", "tiny", "--video", "ftp://example.org/a.mp4"], "by http and https only"),
        (["--model", "tiny", "--video", "bad\udcff.mp4"], "is not valid UTF-8"),
        (["--model", "tiny", "--video", "no/such.mp4"], "there is no video at 'no/such.mp4'"),
    ],
)
def test_a_request_that_makes_no_sense_is_one_line(
    small: Project, arguments: list[str], expected: str
) -> None:
    answer = kairos(small, "bench", *arguments)
    assert answer.returncode == 2
    (line,) = answer.stderr.splitlines()
    assert line.startswith("kairos: ")
    assert expected in line
    assert not small.runs.joinpath("base").exists()


def test_two_videos_of_the_same_name_are_not_taken_for_two_rounds_of_one(small: Project) -> None:
    paths = [write_clip(small.root / folder / "x.mp4", COLOURS[:2]) for folder in "ab"]
    answer = kairos(small, "bench", "--model", "tiny", "--video", ",".join(map(str, paths)))
    assert answer.returncode == 2
    assert "two videos would both be called 'x'" in answer.stderr


def test_what_is_named_twice_is_run_once(small: Project) -> None:
    answer = kairos(small, "bench", "--model", "tiny,tiny", "--video", "twelve,twelve", "--dry-run")
    assert "2 to run, 0 cached" in answer.stdout


def test_models_that_want_different_base_profiles_need_a_choice(
    small: Project, llava_weights: Path
) -> None:
    write_parameters(small, "models", "other", tiny_model(llava_weights, base="else"))
    request = ("bench", "--model", "tiny,other", "--video", "twelve", "--dry-run")
    answer = kairos(small, *request)
    assert answer.returncode == 2
    assert "(tiny: plain, other: else): choose with BASE=" in answer.stderr
    assert kairos(small, *request, "--base", "plain").returncode == 0


def test_results_that_cannot_be_written_are_one_line(small: Project) -> None:
    shutil.rmtree(small.runs)
    small.runs.write_text("a file where the folder should be")
    answer = kairos(small, "bench", "--suite", "one")
    assert answer.returncode == 2
    (line,) = answer.stderr.splitlines()
    assert line.startswith("kairos: ")


def test_a_notebook_that_is_damaged_is_one_line(small: Project) -> None:
    (small.notebooks / "vlm.ipynb").write_text("{")
    answer = kairos(small, "bench", "--suite", "one")
    assert answer.returncode == 2
    assert "vlm.ipynb is not a notebook that can be read" in answer.stderr


def test_files_that_are_no_videos_are_refused_before_anything_starts(
    small: Project, tmp_path: Path
) -> None:
    for expected, path in bad_files(tmp_path).items():
        answer = kairos(small, "bench", "--model", "tiny", "--video", str(path))
        assert answer.returncode == 2
        (line,) = answer.stderr.splitlines()
        assert expected in line
        assert not small.runs.joinpath("base").exists()
        assert not small.runs.joinpath("vlm").exists()


def test_a_model_without_weights_stops_the_bench_before_anything_starts(small: Project) -> None:
    absent = {"source": "hub", "id": "nobody/nothing"}
    write_parameters(small, "models", "tiny", {**tiny_model(Path("w")), "weights": absent})
    answer = kairos(small, "bench", "--suite", "one")
    assert answer.returncode == 2
    assert "run `make fetch MODEL=tiny`" in answer.stderr
    assert not small.runs.joinpath("base").exists()


@pytest.mark.services
def test_a_run_that_fails_is_in_the_report_and_in_the_exit_code(
    benched: tuple[Project, Answer], tmp_path: Path
) -> None:
    project, _ = benched
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "config.json").write_text('{"model_type": "llava_next"}')
    write_parameters(project, "models", "broken", tiny_model(broken, title="Broken"))
    answer = kairos(project, "bench", "--model", "tiny,broken", "--video", "twelve")
    assert answer.returncode == 1
    assert "1 of 3 notebooks failed" in answer.stdout
    assert "cannot load broken" in answer.stdout
    page = (project.reports / "tiny-broken-twelve" / "index.html").read_text()
    assert "cannot load broken" in page
    assert "Tiny" in page


@pytest.mark.services
def test_a_video_with_an_odd_name_and_no_sound_is_a_normal_video(small: Project) -> None:
    video = write_clip(small.root / 'it\'s <b>100% "odd" $HOME é.mp4', COLOURS[:2], tone=False)
    answer = kairos(small, "bench", KAIROS_MODEL="tiny", KAIROS_VIDEO=str(video))
    assert answer.returncode == 0, answer.stderr
    (index,) = small.reports.glob("*/index.html")
    page = index.read_text()
    assert "<b>100%" not in page
    assert "&lt;b&gt;100%" in page
