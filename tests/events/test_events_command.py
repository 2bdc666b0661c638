"""`kairos events` through the public door, in kernels of its own: slices, slots, and going on."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from helpers.projects import CHECKOUT, fill, make_project, write_parameters

from kairos_lib.project import Project

pytestmark = pytest.mark.services
MATCH = "demo-match-long"

TASK = {
    "title": "Anything",
    "labels": {"Goal": [], "Card": []},
    "instruction": "Which of {labels}?",
    "windows": {"frames_per_second": 2, "frames": 2, "step_s": 1, "longest_px": 56},
    "sampling": {"max_new_tokens": 6, "temperature": 0.9, "top_p": 0.95, "seed": 5},
    "batch_size": 2,
}


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory, clip: Path, llava_weights: Path) -> Project:
    project = make_project(tmp_path_factory.mktemp("events") / "project")
    fill(project, clip, llava_weights)
    write_parameters(project, "events", "any", TASK)
    return project


def kairos(project: Project, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "kairos_lib.cli", *arguments],
        cwd=project.root, env={**os.environ, "KAIROS_ROOT": str(project.root)},
        capture_output=True, text=True, timeout=400,
    )  # fmt: skip


def events(project: Project, *more: str) -> subprocess.CompletedProcess[str]:
    return kairos(project, "events", "--model", "tiny", "--video", "twelve", "--task", "any", *more)


def folder(project: Project) -> Path:
    """The run's."""
    found = project.runs.glob("events/tiny/twelve/*/windows.jsonl")
    (path,) = (path for path in found if "superseded" not in str(path))
    return path.parent


def texts(project: Project) -> list[str]:
    lines = (folder(project) / "windows.jsonl").read_text().splitlines()
    answers = [json.loads(line) for line in lines]
    assert [answer["window"] for answer in answers] == list(range(12))
    return [answer["text"] for answer in answers]


def test_slices_in_slots_come_to_what_one_kernel_does_and_nothing_is_left_of_them(
    ready: Project,
) -> None:
    whole = events(ready)
    assert whole.returncode == 0, whole.stderr
    assert "report: " in whole.stdout
    alone = texts(ready)
    assert len(set(alone)) > 1
    again = events(ready)
    assert again.returncode == 0
    assert "starts" not in again.stdout
    folder(ready).rename(ready.root / "before")
    sliced = events(ready, "--slices", "3", "--slots", "2")
    assert sliced.returncode == 0, sliced.stdout + sliced.stderr
    assert texts(ready) == alone
    assert not (folder(ready) / "slices").exists()
    (written,) = (ready.runs / "suites").glob("events-*.json")
    manifest = json.loads(written.read_text())
    assert [step["kind"] for step in manifest["steps"]] == ["events"]
    assert "Runs without a result" not in next(ready.reports.glob("*/index.html")).read_text()
    folder(ready).rename(ready.root / "sliced")
    tasks = events(ready, "--slices", "2", "--on", "local", "--slots", "2")
    assert tasks.returncode == 0, tasks.stdout + tasks.stderr
    assert texts(ready) == alone
    afresh = events(ready, "--slices", "2", "--fresh")
    assert afresh.returncode == 0, afresh.stdout + afresh.stderr
    assert texts(ready) == alone
    assert len(list(ready.runs.glob("events/tiny/twelve/*superseded*/windows.jsonl"))) == 1


def test_the_nano_spotter_finds_what_happens_in_the_demo_match_and_the_report_scores_it(
    ready: Project,
) -> None:
    weights = CHECKOUT / "kairos_lib" / "nano" / "weights" / "nano-events"
    assert weights.is_dir()
    for kind, name in (("models", "nano-events"), ("events", "nano"), ("videos", MATCH)):
        shutil.copy(
            CHECKOUT / "parameters" / kind / f"{name}.yaml",
            ready.parameters / kind / f"{name}.yaml",
        )
    (ready.root / "kairos_lib").symlink_to(CHECKOUT / "kairos_lib")
    asked = ("--model", "nano-events", "--video", MATCH, "--to", "60")
    answer = kairos(ready, "events", *asked)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    (report,) = (path for path in ready.reports.glob("events-*/index.html") if MATCH in str(path))
    page = report.read_text(encoding="utf-8")
    told = re.search(r"(\d+) of (\d+) that happen were found within 5 s \(F1 ([\d.]+)%\)", page)
    assert told is not None
    assert float(told[3]) >= 90
    assert "tight average-mAP" in page
    for label in ("Goal", "Corner", "Yellow card", "Substitution"):
        assert label in page
