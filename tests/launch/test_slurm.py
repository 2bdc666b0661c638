"""A real SLURM of one node, with GPUs that are stood in for and no accounting: to the report."""

from __future__ import annotations

import json
import math
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import pytest
from helpers.projects import fill, make_project, short_report, tiny_model, write_parameters

from kairos_lib.bench.submission import Place, Round, newest
from kairos_lib.bench.verdicts import Verdicts
from kairos_lib.project import Project
from kairos_lib.runs.files import read_record
from kairos_lib.runs.journal import Journal
from kairos_lib.runs.manifest import Manifest
from kairos_lib.vlm.records import Caption

pytestmark = pytest.mark.services
NODE = Path(__file__).parents[1] / "helpers" / "slurm-single-node.sh"
MISCHIEF = """
import os, pathlib, time
been = pathlib.Path(os.environ["KAIROS_NOTEBOOK_FOLDER"]) / "been"
if model == "dies":
    os._exit(9)
if model == "errs":
    raise ValueError("no words for it")
if model in ("sleeps", "taken") and not been.exists():
    been.write_text(os.environ["CUDA_VISIBLE_DEVICES"])
    time.sleep(600)
"""
"""What models do by their names; the third word is on which GPU it was that one slept."""
MODELS = ("sleeps", "taken", "dies", "errs")
AT_ONCE_S = 20.0
"""Of a command on a machine that does much else; what it hands over takes minutes."""


class Answer(NamedTuple):
    """What a command answered."""

    code: int
    out: str
    wrong: str
    took_s: float


Kairos = Callable[..., Answer]


@pytest.fixture(scope="module")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The environment of whoever speaks to a SLURM that runs for these tests alone."""
    folders = ("/usr/sbin", "/sbin")
    path = os.pathsep.join([os.environ["PATH"], *folders])
    if absent := [
        name for name in ("sbatch", "slurmd", "munged") if not shutil.which(name, path=path)
    ]:
        pytest.skip(f"{', '.join(absent)} not installed: apt-get install slurm-wlm munge")
    if os.getuid():
        pytest.skip("a SLURM of one's own wants root, who may make device nodes")
    folder = tmp_path_factory.mktemp("slurm")
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = one.getsockname()[1] & ~1
    environment = {**os.environ, "PATH": path}
    start = [str(NODE), "start", str(folder), "4", "4", str(port)]
    subprocess.run(["bash", *start], check=True, env=environment, timeout=60)
    try:
        yield {**environment, "SLURM_CONF": str(folder / "slurm.conf")}
    finally:
        subprocess.run(["bash", str(NODE), "stop", str(folder)], check=True, env=environment)


@pytest.fixture(scope="module")
def project(
    tmp_path_factory: pytest.TempPathFactory, clip: Path, llava_weights: Path, forecasts: Path
) -> Iterator[Project]:
    """Four models over one video, each of which ends in a way of its own."""
    made = make_project(tmp_path_factory.mktemp("project") / "a project")
    fill(made, clip, llava_weights, forecasts)
    (made.parameters / "slurm").mkdir()
    cluster = {
        "partition": "main", "gpus": 1, "cpus": 1, "memory_mib": 1500, "limit_minutes": 10,
        "grace_s": 10, "attempts": 3, "max_array_size": 2,
        "collector": {"cpus": 1, "memory_mib": 1500, "limit_minutes": 5},
    }  # fmt: skip
    write_parameters(made, "slurm", "node", cluster)
    write_parameters(made, "slurm", "nowhere", {**cluster, "partition": "nowhere"})
    for name in MODELS:
        write_parameters(made, "models", name, tiny_model(llava_weights, title=name))
    suite = {"title": "All", "models": list(MODELS), "videos": ["twelve"]}
    write_parameters(made, "suites", "all", suite)
    path = made.notebooks / "vlm.ipynb"
    notebook = json.loads(path.read_text(encoding="utf-8"))
    cells = notebook["cells"]
    (after,) = (
        n for n, cell in enumerate(cells) if "parameters" in cell["metadata"].get("tags", ())
    )
    cells.insert(after + 1, {**cells[after], "id": "mischief", "metadata": {}, "source": MISCHIEF})
    path.write_text(json.dumps(notebook), encoding="utf-8")
    with short_report(made):
        yield made


@pytest.fixture
def kairos(project: Project, slurm: dict[str, str]) -> Kairos:
    """The command, with SLURM at hand."""

    def run(*arguments: str) -> Answer:
        began_s = time.monotonic()
        answer = subprocess.run(
            [sys.executable, "-m", "kairos_lib.cli", *arguments],
            cwd=project.root, env=slurm, capture_output=True, text=True, timeout=400,
        )  # fmt: skip
        took_s = time.monotonic() - began_s
        return Answer(answer.returncode, answer.stdout, answer.stderr, took_s)

    return run


def until(what: Callable[[], object], limit_s: float, place: Place) -> None:
    """Wait until something is so."""
    until_s = time.monotonic() + limit_s
    while not what():
        if time.monotonic() > until_s:
            logs = {path.name: path.read_text() for path in (place.folder / "logs").iterdir()}
            raise AssertionError(f"it took more than {limit_s} s: {logs}")
        time.sleep(0.5)


def in_queue(within: Round, number: int) -> str:
    """What SLURM calls a task."""
    array = within.array_of(number)
    assert array is not None
    return f"{array.job}_{number - array.offset}"


def test_a_partition_that_does_not_exist_is_one_line_and_leaves_nothing(
    project: Project, kairos: Kairos
) -> None:
    answer = kairos("bench", "--suite", "one", "--on", "slurm:nowhere")
    assert answer.code == 2
    assert answer.wrong.startswith("kairos: sbatch refused: invalid partition specified: nowhere")
    assert len(answer.wrong.splitlines()) == 1
    assert not list((project.runs / "slurm" / "one").iterdir())


def test_whatever_becomes_of_its_tasks_an_array_ends_in_a_report(
    project: Project, kairos: Kairos, slurm: dict[str, str]
) -> None:
    handed = kairos("bench", "--suite", "all", "--on", "slurm:node")
    assert handed.code == 0, handed.wrong
    assert handed.took_s < AT_ONCE_S
    assert "kairos status --suite all" in handed.out
    place = newest(project, "all")
    numbers = {task.label.split()[0]: n for n, task in enumerate(place.submission().tasks)}
    slept = [
        lambda name=name: list((project.runs / "vlm" / name).glob("**/been"))
        for name in ("sleeps", "taken")
    ]
    until(lambda: all(look() for look in slept), 240, place)
    (second,) = (one for one in place.rounds() if (one.wave, one.attempt) == (1, 1))
    assert [len(array.tasks) for array in second.arrays] == [1, 2, 1]
    taken, sleeps = (in_queue(second, numbers[name]) for name in ("taken", "sleeps"))
    # The shortest there is, of this attempt alone: those that run to their end need not hurry.
    began = datetime.fromisoformat(place.attempts(numbers["sleeps"])[1].started_at)
    minutes = math.ceil(((datetime.now(UTC) - began).total_seconds() + 25) / 60)
    shorten = ["scontrol", "update", f"JobId={sleeps}", f"TimeLimit={minutes}"]
    for command in (["scancel", taken], shorten):
        subprocess.run(command, check=True, env=slurm, timeout=30)
    meanwhile = kairos("status", "--suite", "all")
    assert meanwhile.code == 0, meanwhile.wrong
    assert f"running {numbers['sleeps']} sleeps · twelve" in meanwhile.out
    assert f"job {second.collector} looks at what became of them" in meanwhile.out
    # Each has a GPU to itself.
    assert len({path.read_text() for look in slept for path in look()}) == 2

    until(place.ended, 500, place)
    tried = {name: list(place.attempts(number).values()) for name, number in numbers.items()}
    fates = {name: [record.fate for record in records] for name, records in tried.items()}
    assert fates == {
        "base": ["done"],
        "sleeps": ["limit", "done"],
        "taken": ["cancelled", "done"],
        "dies": ["kernel_died"] * 3,
        "errs": ["error"],
    }
    verdicts = Verdicts.read(place, place.submission())
    assert [standing.state for standing in verdicts.standings([])].count("failed") == 2

    told = kairos("status", "--suite", "all").out
    assert "dies · twelve: the kernel died" in told
    assert "(attempt 3 of 3)" in told
    assert "errs · twelve: error: ValueError: no words for it" in told
    assert "ended: 3 of 5 tasks done" in told
    assert (project.reports / "all" / "index.html").exists()
    manifest = read_record(project.runs / "suites" / "all.json", Manifest)
    assert manifest is not None
    for run in manifest.runs:
        done = run.model in ("sleeps", "taken")
        captions = list(Journal(project.root / run.folder / "captions.jsonl", Caption))
        assert len(captions) == (12 if done else 0)


def test_the_same_tasks_run_in_slots_of_this_machine(project: Project, kairos: Kairos) -> None:
    for name in ("here", "there"):
        values = tiny_model(Path(_weights(project)), title=name)
        write_parameters(project, "models", name, values)
    answer = kairos("bench", "--model", "here,there", "--video", "twelve", "--on", "local",
                    "--slots", "2")  # fmt: skip
    assert answer.code == 0, answer.out + answer.wrong
    assert "3 of 3 tasks done; report: reports/here-there-twelve" in answer.out
    place = newest(project)
    assert [list(place.attempts(number)) for number in range(3)] == [[1]] * 3


def _weights(project: Project) -> str:
    import yaml

    values = yaml.safe_load((project.parameters / "models" / "tiny.yaml").read_text())
    return str(values["weights"]["id"])
