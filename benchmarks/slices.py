"""Whether events are the same byte for byte, however the work is cut, drawn, killed or batched.

Each cell is `kairos events` in kernels of its own: in 1 to 4 slices, greedy and sampled,
undisturbed, killed and taken up with another batch size, and asked from the start with another
batch size; in slots of this machine, and through a SLURM of one node that runs for this alone.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psutil
import yaml

from benchmarks.cluster import one_node
from benchmarks.harness import LEAST_ROUNDS
from benchmarks.table import Page, markdown
from kairos_lib.errors import KairosError
from kairos_lib.project import Project

SLICES = (1, 2, 3, 4)
# Warm enough for a sure model to say other things than when it is greedy.
TASKS = {"greedy": {}, "sampled": {"temperature": 2.0, "top_p": 0.98, "seed": 3}}
UNDISTURBED, KILLED, BATCHED = "undisturbed", "killed, then BATCH=5", "BATCH=5 from the start"
DISTURBANCES = (UNDISTURBED, KILLED, BATCHED)
BATCH = "5"
TO_S = "30"
MODEL, VIDEO, TASK = "nano-events", "demo-match-long", "nano"
CLUSTER = {
    "partition": "main", "gpus": 1, "cpus": 1, "memory_mib": 1500, "limit_minutes": 10,
    "grace_s": 10, "attempts": 3, "collector": {"cpus": 1, "memory_mib": 1500, "limit_minutes": 5},
}  # fmt: skip
WAIT_S = 400.0


@dataclass(frozen=True)
class Cell:
    """One way to the same events."""

    where: str
    drawn: str
    disturbance: str
    slices: int


def run(command: str, say: Callable[[str], None]) -> Page:
    """Fill the matrix.

    Args:
        command: What made it, as users would type it.
        say: Tells how it goes.
    """
    page = Page("Events in slices", command, LEAST_ROUNDS)
    page.add(
        f"`{MODEL}` over the first {TO_S} s of `{VIDEO}`. Each cell is a run in kernels of its "
        "own; it says the first digits of the SHA-256 of `events.jsonl`, and in brackets of all "
        "that was said of the windows, with their probabilities. Where the row is of a kill, all "
        "processes of the command were killed (SIGKILL) once two batches were answered, and it "
        "was given again with `BATCH=5`, which a run that has begun does not take: it keeps its "
        "size. On the cluster a task that ran was cancelled (`scancel`)."
    )
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder,
        one_node(Path(folder) / "slurm") as environment,
    ):
        project = _project(Path(folder) / "project")
        cells: dict[Cell, str] = {}
        places = ["local"] + (["SLURM"] if environment else [])
        for where, drawn, how, slices in itertools.product(places, TASKS, DISTURBANCES, SLICES):
            cell = Cell(where, drawn, how, slices)
            cells[cell] = _found(project, cell, environment or dict(os.environ))
            say(f"{where}, {drawn}, {how}, {slices}: {cells[cell]}")
    page.add(_table(cells), _verdict(cells))
    if not environment:
        page.add("SLURM: not tried, since it is not installed here.")
    return page


def _table(cells: dict[Cell, str]) -> str:
    header = ["", *(f"{slices} slice{'s' * (slices > 1)}" for slices in SLICES)]
    rows: dict[str, list[str]] = {}
    for cell, told in cells.items():
        rows.setdefault(f"{cell.where}, {cell.drawn}, {cell.disturbance}", []).append(told)
    return markdown(header, [[name, *told] for name, told in rows.items()])


def _verdict(cells: dict[Cell, str]) -> str:
    lines = []
    for drawn in TASKS:
        found = {told for cell, told in cells.items() if cell.drawn == drawn}
        count = sum(cell.drawn == drawn for cell in cells)
        what = "all the same" if len(found) == 1 else f"**{len(found)} different results**"
        lines.append(f"{drawn.capitalize()}: {count} runs, {what}.")
    return " ".join(lines)


def _project(root: Path) -> Project:
    """A project of its own, whose runs nobody misses."""
    checkout = Project.find()
    for name in ("notebooks", "parameters"):
        shutil.copytree(checkout.root / name, root / name)
    (root / "kairos_lib").symlink_to(checkout.root / "kairos_lib")
    task = yaml.safe_load((root / "parameters" / "events" / f"{TASK}.yaml").read_text())
    for name, sampling in TASKS.items():
        changed = {**task, "sampling": {**task.get("sampling", {}), **sampling}, "batch_size": 4}
        _write(root / "parameters" / "events" / f"{name}.yaml", changed)
    _write(root / "parameters" / "slurm" / "node.yaml", CLUSTER)
    path = root / "notebooks" / "events-analysis.ipynb"
    notebook = json.loads(path.read_text(encoding="utf-8"))
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    notebook["cells"] = [*code[:2], code[-1]]  # Nobody looks at these reports.
    path.write_text(json.dumps(notebook), encoding="utf-8")
    return Project(root)


def _write(path: Path, values: dict[str, object]) -> None:
    # The order of labels is part of the question.
    path.write_text(yaml.safe_dump(values, sort_keys=False), encoding="utf-8")


def _found(project: Project, cell: Cell, environment: dict[str, str]) -> str:
    """What one cell comes to."""
    shutil.rmtree(project.runs / "events", ignore_errors=True)
    shutil.rmtree(project.runs / "slurm", ignore_errors=True)
    asked = ["--model", MODEL, "--video", VIDEO, "--task", cell.drawn, "--to", TO_S]
    asked += ["--slices", str(cell.slices)]
    asked += ["--on", "slurm:node"] if cell.where == "SLURM" else ["--slots", "2"]
    batched = [*asked, "--batch", BATCH]
    first = batched if cell.disturbance == BATCHED else asked
    process = _kairos(project, first, environment)
    if cell.disturbance == KILLED:
        _until(lambda: _answered(project) >= 8, "two batches were answered")
        if cell.where == "SLURM":
            process.wait(timeout=WAIT_S)
            _cancel_one(environment)
        else:
            _kill(process)
            if _done(project) or not _answered(project):
                return "**was done before it could be killed**"
            process = _kairos(project, batched, environment)
    code = process.wait(timeout=WAIT_S)
    if cell.where == "SLURM":
        _until(lambda: any(project.runs.glob("slurm/*/*/ended.json")), "the report was made")
    if code or not _done(project):
        return f"**no events, code {code}**"
    return _digests(project)


def _digests(project: Project) -> str:
    from kairos_lib.events.records import WindowAnswer
    from kairos_lib.runs.journal import Journal

    (folder,) = _done(project)
    own = {"timing", "elapsed_s", "part", "batch_size"}
    said = "\n".join(
        answer.model_dump_json(exclude=own)
        for answer in Journal(folder / "windows.jsonl", WindowAnswer)
    )
    events = (folder / "events.jsonl").read_bytes()
    return f"{_digest(events)} ({_digest(said.encode())})"


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:8]


def _done(project: Project) -> list[Path]:
    """Folders of whole runs that are done."""
    return [path.parent for path in project.runs.glob(f"events/{MODEL}/*/*/events.jsonl")
            if (path.parent / "result.json").is_file()]  # fmt: skip


def _answered(project: Project) -> int:
    """Windows that are, in all slices together."""
    return sum(
        path.read_bytes().count(b"\n")
        for path in project.runs.glob(f"events/{MODEL}/**/windows.jsonl")
    )


def _kairos(
    project: Project, asked: list[str], environment: dict[str, str]
) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "kairos_lib.cli", "events", *asked],
        cwd=project.root, env={**environment, "KAIROS_ROOT": str(project.root)},
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip


def _kill(process: subprocess.Popen[bytes]) -> None:
    """All of it at once, as when the power fails."""
    family = [psutil.Process(process.pid)]
    family += family[0].children(recursive=True)
    for one in family:
        one.suspend()  # None is told of another's end before its own.
    for one in family:
        one.kill()
    process.wait()
    psutil.wait_procs(family, timeout=10)


def _cancel_one(environment: dict[str, str]) -> None:
    """Cancel one task that runs on the cluster."""
    answer = subprocess.run(
        ["squeue", "--noheader", "--array", "--states=RUNNING", "--format=%i"],
        env=environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    running = [name for name in answer.stdout.split() if "_" in name]
    if not running:
        raise KairosError("no task runs on the cluster that could be cancelled")
    subprocess.run(["scancel", running[0]], env=environment, check=True)


def _until(what: Callable[[], object], in_words: str) -> None:
    until_s = time.monotonic() + WAIT_S
    while not what():
        if time.monotonic() > until_s:
            raise KairosError(f"it took more than {WAIT_S:g} s until {in_words}")
        time.sleep(0.2)
