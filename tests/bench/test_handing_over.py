"""A plan is handed to a cluster and goes on by itself; with programs that stand in for SLURM's."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from click.testing import CliRunner
from helpers.submissions import (
    Row,
    ended,
    real_submission,
    slurm_programs,
    small_submission,
    submitted,
    verdicts,
)

from kairos_lib.bench import handing_over
from kairos_lib.bench.submission import (
    FOLDER,
    Ended,
    Place,
)
from kairos_lib.bench.verdicts import Next
from kairos_lib.cli import main
from kairos_lib.errors import KairosError
from kairos_lib.project import Project
from kairos_lib.runs.files import read_record
from kairos_lib.runs.manifest import Manifest


@pytest.fixture
def place(project: Project) -> Place:
    """Two tasks, and four that need one or the other."""
    return small_submission(project)


@pytest.fixture
def handed(project: Project, clip: Path, tmp_path: Path) -> tuple[Project, Place]:
    """A real plan of a video, and of a model here and one on a GPU that is not."""
    return project, real_submission(project, clip, tmp_path / "weights")


@pytest.fixture
def stand_ins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """SLURM's programs: sbatch keeps scripts and counts, until there is a file `full`."""
    folder = tmp_path / "slurm"
    slurm_programs(folder)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    return folder


def test_a_bench_on_a_cluster_hands_over_and_returns(
    handed: tuple[Project, Place], stand_ins: Path
) -> None:
    answer = CliRunner().invoke(main, ["bench", "--suite", "two", "--on", "slurm:here"])
    assert answer.exit_code == 0, (answer.stderr, answer.exception)
    assert "3 tasks, the first 1 as job 1, then job 2 goes on" in answer.stdout
    assert "kairos status --suite two" in answer.stdout
    first, after = (path.read_text() for path in sorted(stand_ins.glob("*.sh")))
    assert "--array=0" in first
    assert "--dependency=afterany:1" in after
    (stand_ins / "queue").write_text("2|N/A|PENDING|Dependency\n")
    again = CliRunner().invoke(main, ["bench", "--suite", "two", "--on", "slurm:here"])
    assert again.exit_code == 2
    assert "is with the cluster already" in again.stderr
    assert "scancel 2" in again.stderr


def test_a_dry_run_prints_the_scripts_and_hands_nothing_over(
    handed: tuple[Project, Place], stand_ins: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project, place = handed
    monkeypatch.setenv("KAIROS_ON", "slurm:here")
    monkeypatch.setenv("KAIROS_DRY_RUN", "1")
    answer = CliRunner().invoke(main, ["bench", "--suite", "two"])
    assert answer.exit_code == 0, answer.stderr
    assert answer.stdout.count("#!/bin/bash") == 4
    assert "#SBATCH --array=1-2" in answer.stdout
    assert not list(stand_ins.glob("*.sh"))
    assert list((project.runs / FOLDER / "two").iterdir()) == [place.folder]


def test_what_is_refused_leaves_nothing_behind(
    handed: tuple[Project, Place], stand_ins: Path
) -> None:
    project, place = handed
    (stand_ins / "full").touch()
    answer = CliRunner().invoke(main, ["bench", "--suite", "two", "--on", "slurm:here"])
    assert (answer.exit_code, answer.stderr) == (2, "kairos: sbatch refused: no more\n")
    assert list((project.runs / FOLDER / "two").iterdir()) == [place.folder]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (("--on", "slurm:her"), "unknown cluster 'her': did you mean 'here'? (known: here)"),
        (("--on", "here"), "ON must be slurm:NAME or local, not 'here'"),
        (("--on", "slurm:../models/tiny"), "unknown cluster '../models/tiny'"),
        (("--on", "slurm:here", "--slots", "2"), "SLOTS is of this machine"),
    ],
)
def test_a_place_that_is_none_is_one_line(
    handed: tuple[Project, Place], options: tuple[str, ...], expected: str
) -> None:
    answer = CliRunner().invoke(main, ["bench", "--suite", "two", *options])
    assert answer.exit_code == 2
    assert expected in answer.stderr
    assert len(answer.stderr.splitlines()) == 1


def test_a_throttle_holds_for_several_arrays(place: Place, project: Project,
                                             stand_ins: Path) -> None:  # fmt: skip
    tasks = tuple(range(6))
    handing_over.submit(project, place, place.submission(), Next(0, 1, tasks))
    first, second, collector = (path.read_text() for path in sorted(stand_ins.glob("*.sh")))
    assert "--array=0-3%2" in first
    assert "--array=0-1%2" in second
    assert "--dependency=afterany:1\n" in second
    assert "--dependency=afterany:1:2\n" in collector


def test_a_collector_submits_what_is_next(place: Place, project: Project, stand_ins: Path) -> None:
    submitted(place, 0, 1, 0, 1)
    ended(place, 0, 1, "kernel_died")
    ended(place, 1, 1, "done")
    answer = CliRunner().invoke(main, ["task", str(place.plan), "collect", "0"])
    assert answer.exit_code == 0, answer.stderr
    assert "wave 0, attempt 2: job 1, then 2" in answer.stdout
    assert verdicts(place).rounds[-1].attempt == 2
    assert "--attempt 2" in (stand_ins / "001.sh").read_text()


def test_the_report_comes_where_nothing_more_can_be_submitted(
    place: Place, project: Project, stand_ins: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    submitted(place, 0, 1, 0, 1)
    ended(place, 0, 1, "kernel_died")
    ended(place, 1, 1, "done")
    (stand_ins / "full").touch()
    index = project.reports / "s" / "index.html"
    monkeypatch.setattr(handing_over, "analyse", lambda *_: index)
    found = handing_over.collect(project, place, 0, 1, Row())
    assert isinstance(found, Ended)
    assert found.problem == "what was left could not be submitted: sbatch refused: no more"
    assert (found.report, found.failed) == ("reports/s/index.html", 5)
    manifest = read_record(project.runs / "suites" / "s.json", Manifest)
    assert manifest is not None
    assert [step.problem for step in manifest.steps[:3]] == [
        "the kernel died (attempt 1 of 3)", "", "was not run",
    ]  # fmt: skip


def test_an_array_whose_collector_is_refused_is_taken_back(
    place: Place, project: Project, stand_ins: Path
) -> None:
    code = (stand_ins / "sbatch").read_text()
    (stand_ins / "sbatch").write_text(f"{code}\nif number == 1: (home / 'full').touch()\n")
    with pytest.raises(KairosError, match="no more"):
        handing_over.submit(project, place, place.submission(), Next(0, 1, (0,)))
    assert "'1'" in (stand_ins / "taken").read_text()
