"""Kills `kairos base` at random moments, resumes it, and compares what it has found in the end.

`python -m benchmarks.base_kills --help`. Knows nothing of what the analyzers do: their records and
the files that they write must be the same, byte for byte, as those of a run that nobody disturbed.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from fractions import Fraction
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

import av
import click
import numpy as np
import psutil
import yaml
from PIL import Image

from benchmarks.base import RESULTS, say
from benchmarks.standins import CHECKOUT
from benchmarks.table import Page, markdown
from kairos_lib.errors import KairosError
from kairos_lib.pipeline.records import BaseResult, StageReport
from kairos_lib.project import Project
from kairos_lib.runs.files import read_record

PROFILE = "kills"
SIZE = (640, 360)
FPS = 10
SHOT_S = 2.0
KILLS_OF_A_RUN = 3
"""More would never let a run come to its last stages."""
LIMIT_S = 900.0
"""Longer than one attempt ever takes."""
RESTS = ("resources.jsonl",)
"""What differs from one run to the next by its nature."""


@dataclass(frozen=True)
class Kill:
    """One moment at which everything was killed."""

    after_s: float
    done: tuple[str, ...]
    """Stages whose results were there."""
    running: tuple[str, ...]
    """Those that had begun, in this attempt or an earlier one, and were not done."""


@dataclass
class Outcome:
    """What became of all attempts."""

    undisturbed_s: float
    states: dict[str, StageReport]
    """Of the undisturbed run, by stage."""
    files: int
    """That were compared, in each run."""
    kills: list[Kill] = field(default_factory=list)
    runs: list[int] = field(default_factory=list)
    """How many kills each run had before it ended."""
    unequal: list[str] = field(default_factory=list)
    """Files that differed, with the number of the run."""

    def check(self) -> None:
        """See that every run came to what the undisturbed one did.

        Raises:
            KairosError: One did not; the line names the files.
        """
        if self.unequal:
            raise KairosError(f"runs that were killed differ: {', '.join(self.unequal)}")


def write_clip(path: Path, seconds: float, sound: Path) -> Path:
    """Photographs that the camera moves over, a shot each, with the sound of another file.

    Args:
        path: Of the new file.
        seconds: Its length.
        sound: A file with speech.
    """
    spec = find_spec("ultralytics")
    assert spec is not None
    assert spec.origin is not None
    names = ("zidane.jpg", "bus.jpg")
    shots = []
    for name in names:
        with Image.open(Path(spec.origin).parent / "assets" / name) as image:
            scale = 1.2 * max(SIZE[0] / image.width, SIZE[1] / image.height)
            size = (round(image.width * scale), round(image.height * scale))
            shots.append(np.asarray(image.convert("RGB").resize(size)))
    with av.open(f"file:{path}", "w") as target, av.open(f"file:{sound}") as source:
        video = target.add_stream("libx264", rate=FPS)
        video.width, video.height = SIZE
        video.pix_fmt = "yuv420p"
        heard = target.add_stream("aac", rate=16_000)
        heard.layout = "mono"
        resampler = av.AudioResampler("s16", "mono", 16_000)
        for number in range(round(seconds * FPS)):
            shot, within = divmod(number, round(SHOT_S * FPS))
            picture = shots[shot % len(shots)]
            left, top = 3 * within, within
            shown = picture[top : top + SIZE[1], left : left + SIZE[0]]
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(shown), format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, FPS)
            target.mux(video.encode(frame))
        target.mux(video.encode())
        for decoded in source.decode(audio=0):
            if decoded.time >= seconds:
                break
            for resampled in resampler.resample(decoded):
                target.mux(heard.encode(resampled))
        target.mux(heard.encode())
    return path


def make_project(root: Path, stages: Iterable[str] = ()) -> Project:
    """A project with the checkout's parameters, none of its runs, and a profile like `packages`.

    Args:
        root: Of the new project.
        stages: Of the profile; those of `packages` by default.
    """
    root.mkdir(parents=True)
    shutil.copytree(CHECKOUT / "parameters", root / "parameters")
    for name in ("notebooks", "kairos_lib"):
        (root / name).symlink_to(CHECKOUT / name)
    source = root / "parameters" / "base" / "packages.yaml"
    profile = yaml.safe_load(source.read_text(encoding="utf-8"))
    profile |= {"stages": list(stages)} if stages else {}
    path = root / "parameters" / "base" / f"{PROFILE}.yaml"
    path.write_text(yaml.safe_dump(profile), encoding="utf-8")
    return Project(root)


def harass(
    folder: Path,
    clip: Path,
    kills: int,
    stages: Iterable[str] = (),
    say: Callable[[str], None] = lambda line: None,
    seed: int = 0,
    so_far: Callable[[Outcome], None] = lambda outcome: None,
) -> Outcome:
    """Kill until there have been enough kills, and let every run end.

    A run is begun, killed and started again, at most three times; once it has ended the next one is
    begun.

    Args:
        folder: For the projects.
        clip: What is processed.
        kills: How many, over all runs.
        stages: To run.
        say: Is told how far it is.
        seed: Of the moments.
        so_far: Is told what has become of them whenever a run has ended.

    Raises:
        KairosError: A run did not end well.
    """
    stages = tuple(stages)
    first = make_project(folder / "undisturbed", stages)
    began = time.monotonic()
    _finish(first, clip)
    took_s = time.monotonic() - began
    right = found(first)
    outcome = Outcome(took_s, _reports(first), len(right))
    say(f"undisturbed: {took_s:.0f} s, {len(right)} files")
    moments = random.Random(seed)
    while len(outcome.kills) < kills:
        project = make_project(folder / f"run-{len(outcome.runs) + 1}", stages)
        killed = 0
        while len(outcome.kills) < kills and killed < KILLS_OF_A_RUN:
            kill = _killed(project, clip, moments.uniform(0, took_s))
            if kill is None:
                break
            killed += 1
            outcome.kills.append(kill)
            say(f"kill {len(outcome.kills)}, {kill.after_s:.1f} s: {', '.join(kill.running)}")
        _finish(project, clip)
        outcome.runs.append(killed)
        unequal = differing(right, found(project))
        outcome.unequal += [f"{name} of run {len(outcome.runs)}" for name in unequal]
        say(f"run {len(outcome.runs)}: {'differs: ' + ', '.join(unequal) if unequal else 'equal'}")
        shutil.rmtree(project.root)
        so_far(outcome)
    return outcome


def found(project: Project) -> dict[str, bytes]:
    """The files that a run has found, by their names; without times and resources."""
    folder = _folder(project)
    if folder is None:
        return {}
    # Reports of stages are all times; what they say of the results is in the results.
    kept = (path for path in folder.rglob("*") if path.suffix in (".jsonl", ".wav", ".jpg"))
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(kept)
        if path.name not in RESTS
    }


def differing(one: dict[str, bytes], other: dict[str, bytes]) -> list[str]:
    """Names of the files that are not the same in both."""
    return sorted(name for name in one.keys() | other.keys() if one.get(name) != other.get(name))


def _folder(project: Project) -> Path | None:
    for path in project.runs.glob("base/*/*/job.json"):
        return path.parent
    return None


def _reports(project: Project) -> dict[str, StageReport]:
    folder = _folder(project)
    result = read_record(folder / "result.json", BaseResult) if folder else None
    if result is None:
        return {}
    return {report.name: report for report in result.stages}


def _start(project: Project, clip: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "kairos_lib.cli", "base", "--video", str(clip), "--base", PROFILE],
        cwd=project.root,
        env={**os.environ, "KAIROS_ROOT": str(project.root)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def _finish(project: Project, clip: Path) -> None:
    output, _ = (run := _start(project, clip)).communicate(timeout=LIMIT_S)
    if run.returncode:
        raise KairosError(f"`kairos base` ended with {run.returncode}:\n{output}")


def _killed(project: Project, clip: Path, after_s: float) -> Kill | None:
    """Start it, and kill all its processes at once after a while; None if it ended before."""
    run = _start(project, clip)
    try:
        output, _ = run.communicate(timeout=after_s)
    except subprocess.TimeoutExpired:
        _kill_all(project)
        run.wait()
        assert run.stdout is not None
        run.stdout.close()
        return Kill(after_s, *_so_far(project))
    if run.returncode:
        raise KairosError(f"`kairos base` ended with {run.returncode}:\n{output}")
    return None


def _kill_all(project: Project) -> None:
    """SIGKILL to every process of a project: the command, the runner, the kernel, its sampler.

    The runner has a session of its own, so that one process group does not hold them all.
    """
    while there := list(_members(project)):
        for process in there:
            try:
                process.send_signal(signal.SIGKILL)
            except psutil.NoSuchProcess:
                continue
        psutil.wait_procs(there, timeout=10)


def _members(project: Project) -> Iterable[psutil.Process]:
    for process in psutil.process_iter():
        try:
            if process.status() == psutil.STATUS_ZOMBIE:
                continue
            if process.environ().get("KAIROS_ROOT") == str(project.root):
                yield process
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue


def _so_far(project: Project) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The stages that were done and those that were running."""
    folder = _folder(project)
    states: dict[str, list[str]] = {"done": [], "running": []}
    for path in sorted(folder.glob("*.json")) if folder else ():
        try:
            report = read_record(path, StageReport)
        except KairosError:
            continue  # A file of another kind.
        if report is not None and report.state in states:
            states[report.state].append(report.name)
    return tuple(states["done"]), tuple(states["running"])


def page(outcome: Outcome, command: str, clip: str) -> Page:
    """The results file."""
    kills, stages = outcome.kills, outcome.states
    made = Page("Kills of base processing", command, len(kills))
    hit = Counter(name for kill in kills for name in kill.running)
    had = Counter(name for kill in kills for name in kill.done)
    before = sum(not kill.running and not kill.done for kill in kills)
    made.add(
        "`kairos base` is started, all its processes are killed at once (SIGKILL) at a random "
        "moment between its start and as long as an undisturbed run takes, and it is started "
        f"again, at most {KILLS_OF_A_RUN} times for one run. Then all {outcome.files} files that "
        "it has found (records of every stage, sound, thumbnails) are compared, byte for byte, "
        f"with those of the undisturbed run. {clip} The profile is `packages`; a stage whose "
        "weights are out of reach is skipped.",
        markdown(
            ["", ""],
            [
                ["kills", str(len(kills))],
                ["runs, each ended after its kills", str(len(outcome.runs))],
                ["kills of each run", ", ".join(map(str, outcome.runs))],
                ["kills before any stage had begun", str(before)],
                ["runs equal to the undisturbed one", str(_equal(outcome))],
                ["seconds of the undisturbed run", f"{outcome.undisturbed_s:.0f}"],
            ],
        ),
        "## Stages",
        markdown(
            [
                "",
                "state",
                "records",
                "kills before it was done, once begun",
                "kills after it was done",
            ],
            [
                [name, one.state, str(one.records), str(hit[name]), str(had[name])]
                for name, one in stages.items()
            ],
        ),
    )
    return made


def _equal(outcome: Outcome) -> int:
    different = {name.rpartition(" ")[2] for name in outcome.unequal}
    return len(outcome.runs) - len(different)


@click.command()
@click.option("--kills", default=20, show_default=True, type=click.IntRange(min=1))
@click.option("--seconds", default=6.0, show_default=True, help="Length of the clip.")
@click.option(
    "--sound", default=CHECKOUT / "kairos_lib/nano/clips/demo-speech.mp4",
    show_default="a clip that ships", help="A file with speech, for the clip's sound.",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
)  # fmt: skip
@click.option("--seed", default=0, show_default=True, help="Of the moments.")
@click.option(
    "--out", default=RESULTS, show_default="benchmarks/results",
    type=click.Path(file_okay=False, path_type=Path), help="Where the table is written.",
)  # fmt: skip
def main(kills: int, seconds: float, sound: Path, seed: int, out: Path) -> None:
    """Kill base processing at random moments, resume it, and compare; write the table.

    Needs what `kairos fetch --base packages` brings.
    """
    command = f"python -m benchmarks.base_kills --kills {kills} --seconds {seconds:g}"
    command += f" --seed {seed} --sound {sound.name}"
    told = f"The clip: {seconds:g} s of two photographs with the sound of {sound.name}."

    def write(outcome: Outcome) -> None:
        # After every run: an hour's work should not depend on its last minute.
        page(outcome, command, told).write(out, "base-kills")

    with TemporaryDirectory(prefix="kairos-kills-") as folder:
        try:
            clip = write_clip(Path(folder) / "clip.mp4", seconds, sound)
            outcome = harass(Path(folder), clip, kills, say=say, seed=seed, so_far=write)
            outcome.check()
        except KairosError as error:
            click.echo(f"benchmark: {error}", err=True)
            sys.exit(1)
    click.echo(page(outcome, command, told).text())
    click.echo(f"written to {out / 'base-kills.md'}")


if __name__ == "__main__":
    main()
