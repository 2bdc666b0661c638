"""Kill anything at any moment: the same command finishes the run, nothing missing or doubled."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from helpers.projects import fill, make_project, short_report, tiny_model, write_parameters

from kairos_lib.project import Project
from kairos_lib.runs.files import read_record
from kairos_lib.runs.journal import Journal
from kairos_lib.vlm.records import Caption, FusedScene, VlmResult

pytestmark = pytest.mark.services
COMMAND = [sys.executable, "-m", "kairos_lib.cli", "bench", "--suite", "one"]


@pytest.fixture(scope="module")
def based(
    tmp_path_factory: pytest.TempPathFactory, clip: Path, llava_weights: Path
) -> Iterator[tuple[Project, list[str]]]:
    """A project that has been benched once, and its captions; slow enough to be killed midway."""
    project = make_project(tmp_path_factory.mktemp("kill") / "project")
    fill(project, clip, llava_weights)
    slow = {"generation": {"max_new_tokens": 100}, "batch_size": 2}
    write_parameters(project, "models", "tiny", tiny_model(llava_weights, **slow))
    with short_report(project):
        subprocess.run(COMMAND, cwd=project.root, check=True, capture_output=True)
        (folder,) = (project.runs / "vlm" / "tiny" / "twelve").glob("*/r001")
        texts = [caption.text for caption in Journal(folder / "captions.jsonl", Caption)]
        shutil.rmtree(project.runs / "vlm")
        shutil.rmtree(project.runs / "analysis")
        yield project, texts


def members(project: Project) -> dict[str, list[psutil.Process]]:
    """The processes of a project's bench by what they are."""
    found: dict[str, list[psutil.Process]] = {"kernel": [], "runner": [], "other": []}
    for process in psutil.process_iter():
        try:
            if process.environ().get("KAIROS_ROOT") != str(project.root):
                continue
            command = " ".join(process.cmdline())
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
        kind = (
            "kernel"
            if "ipykernel" in command
            else "runner"
            if "kairos_lib.launch.runner" in command
            else "other"
        )
        found[kind].append(process)
    return found


def captions(project: Project) -> list[Caption]:
    folders = list((project.runs / "vlm" / "tiny" / "twelve").glob("*/r001"))
    return list(Journal(folders[0] / "captions.jsonl", Caption)) if folders else []


@pytest.mark.parametrize("moment", ["loading", "captioning"])
@pytest.mark.parametrize("victim", ["kernel", "runner", "orchestrator", "all"])
def test_a_killed_bench_goes_on_where_it_stopped(
    based: tuple[Project, list[str]], tmp_path: Path, victim: str, moment: str
) -> None:
    original, expected = based
    shutil.copytree(original.root, tmp_path / "project")
    project = Project(tmp_path / "project")
    bench = subprocess.Popen(
        COMMAND, cwd=project.root, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + 300
    while True:
        assert time.monotonic() < deadline
        if moment == "loading" and members(project)["kernel"]:
            break
        if moment == "captioning" and len(captions(project)) >= 3:
            break
        # To look through all processes takes time that the bench could use.
        time.sleep(0.1 if moment == "loading" else 0.02)
    there = members(project)
    if victim in ("orchestrator", "all"):
        bench.kill()
    for kind, processes in there.items():
        if victim in (kind, "all"):
            for process in processes:
                process.kill()
    output, _ = bench.communicate(timeout=60)
    if victim in ("kernel", "runner"):
        assert bench.returncode == 1
        assert "run the same command to go on" in output

    again = subprocess.run(
        COMMAND, cwd=project.root, capture_output=True, text=True, timeout=300, check=False
    )
    assert again.returncode == 0, again.stdout + again.stderr
    done = captions(project)
    assert [caption.scene for caption in done] == list(range(12))
    assert [caption.text for caption in done] == expected
    (folder,) = (project.runs / "vlm" / "tiny" / "twelve").glob("*/r001")
    fused = [f.scene.index for f in Journal(folder / "fused.jsonl", FusedScene)]
    assert fused == list(range(12))
    result = read_record(folder / "result.json", VlmResult)
    assert result is not None
    assert result.offline.parts == (2 if moment == "captioning" else 1)
    left = members(project)
    assert not any(left.values()), left


def test_a_bench_killed_in_base_processing_goes_on(
    based: tuple[Project, list[str]], tmp_path: Path
) -> None:
    original, expected = based
    shutil.copytree(original.root, tmp_path / "project")
    project = Project(tmp_path / "project")
    shutil.rmtree(project.runs / "base")
    bench = subprocess.Popen(COMMAND, cwd=project.root, stdout=subprocess.DEVNULL)
    while not list(project.runs.glob("base/*/*/thumbnails/*.jpg")):
        time.sleep(0.02)
    bench.kill()
    for processes in members(project).values():
        for process in processes:
            process.kill()
    bench.wait()
    # Locks lie beside it.
    (folder,) = (path for path in (project.runs / "base" / "twelve").iterdir() if path.is_dir())
    assert not (folder / "status.json").exists()
    again = subprocess.run(COMMAND, cwd=project.root, capture_output=True, text=True, check=False)
    assert again.returncode == 0, again.stdout + again.stderr
    assert [caption.text for caption in captions(project)] == expected


def test_ctrl_c_ends_a_bench_with_one_line_and_leaves_no_process(
    based: tuple[Project, list[str]], tmp_path: Path
) -> None:
    original, _ = based
    shutil.copytree(original.root, tmp_path / "project")
    project = Project(tmp_path / "project")
    bench = subprocess.Popen(
        COMMAND,
        cwd=project.root,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A shell that runs the tests in its background makes them ignore Ctrl-C.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    while not members(project)["kernel"]:
        time.sleep(0.1)
    os.kill(bench.pid, signal.SIGINT)
    _, errors = bench.communicate(timeout=60)
    assert bench.returncode == 130
    assert errors.splitlines() == [
        "kairos: stopped: run the same command to go on where it stopped"
    ]
    assert not any(members(project).values())
