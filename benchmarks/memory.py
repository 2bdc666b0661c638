"""Peak resident memory against the number of scenes: of base processing, and of reading it."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil

from benchmarks.clips import many_scenes_clip
from benchmarks.harness import Contender, DisagreementError, Trial, compete
from benchmarks.table import Page, markdown
from benchmarks.workshop import Workshop
from kairos_lib.errors import KairosError

SCENES = (100, 1000, 3000)
SAMPLE_HZ = 10.0
TARGET_MB = 100.0
STEPS = ("process", "read")
"""What a child is told to do, each in a process of its own."""


@dataclass(frozen=True)
class Peaks:
    """What one video took."""

    scenes: int
    """As they were found."""
    process_mb: float
    read_mb: float


def run(
    cache: Path,
    rounds: int,
    command: str,
    say: Callable[[str], None],
    scenes: tuple[int, ...] = SCENES,
) -> Page:
    """Measure base processing and the reading of its results, for each number of scenes."""
    clips = {}
    for count in scenes:
        say(f"making a video of {count} scenes, unless it is there")
        clips[count] = many_scenes_clip(cache, count)
    with tempfile.TemporaryDirectory() as scratch:
        workshop = Workshop(Path(scratch) / "project")
        contenders = [
            Contender(
                f"{count} scenes",
                lambda count=count: _peaks(workshop, clips[count]),
                workshop.clear,
            )
            for count in scenes
        ]
        # Each is measured in a process of its own: there is nothing to warm up.
        comparison = compete(contenders, rounds, lambda r: agree(r, scenes), say, warm_up=False)
    page = Page("Memory against the number of scenes", command, rounds)
    page.add(_preamble())
    verdicts = []
    for title, measure in (("Base processing", _process_mb), ("Reading its results", _read_mb)):
        first, last = (comparison.spread(f"{n} scenes", measure) for n in (scenes[0], scenes[-1]))
        more_mb = last.median - first.median
        reached = "reached" if more_mb <= TARGET_MB else "missed"
        verdicts.append(
            f"{title}: {scenes[-1]} scenes take {more_mb:+.1f} MB beside {scenes[0]}; the target "
            f"is at most {TARGET_MB:g} MB and is **{reached}**."
        )
    rows = [
        [
            name,
            comparison.spread(name, _process_mb).told(1),
            comparison.spread(name, _read_mb).told(1),
            comparison.spread(name).told(1),
            str(comparison.rounds),
        ]
        for name in comparison.trials
    ]
    header = [
        "", "base processing, peak MB", "reading its results, peak MB", "wall time of both, s", "n"
    ]  # fmt: skip
    page.add(markdown(header, rows), *verdicts)
    return page


def agree(results: Mapping[str, Peaks], scenes: tuple[int, ...]) -> None:
    """See that every video was processed whole.

    Raises:
        DisagreementError: Scenes were not found.
    """
    for (name, peaks), count in zip(results.items(), scenes, strict=True):
        if peaks.scenes != count:
            raise DisagreementError(f"{peaks.scenes} were found of {name}")


def _process_mb(trial: Trial[Peaks]) -> float:
    return trial.result.process_mb


def _read_mb(trial: Trial[Peaks]) -> float:
    return trial.result.read_mb


def _peaks(workshop: Workshop, video: Path) -> Peaks:
    process_mb, _ = _child(workshop, video, "process")
    read_mb, told = _child(workshop, video, "read")
    return Peaks(int(told), process_mb, read_mb)


def _child(workshop: Workshop, video: Path, step: str) -> tuple[float, str]:
    """Run a step in a process of its own; the peak of its memory, and what it told.

    Raises:
        KairosError: It failed; its last line says why.
    """
    root = workshop.project.root
    command = [sys.executable, "-m", "benchmarks.memory_child", step, str(video), str(root)]
    told, wrong = root / "told.txt", root / "wrong.txt"
    peak_bytes = 0
    with told.open("w") as out, wrong.open("w") as err:
        child = subprocess.Popen(command, stdout=out, stderr=err)
        watched = psutil.Process(child.pid)
        while child.poll() is None:
            try:
                peak_bytes = max(peak_bytes, watched.memory_info().rss)
            except psutil.NoSuchProcess:
                break
            time.sleep(1 / SAMPLE_HZ)
        child.wait()
    if child.returncode:
        lines = wrong.read_text().strip().splitlines() or ["no message"]
        raise KairosError(f"the process that was to {step} failed: {lines[-1]}")
    return peak_bytes / 1e6, told.read_text().strip()


def _preamble() -> str:
    return (
        "Peak resident memory of a fresh process, sampled from outside ten times a second, in "
        "megabytes (10⁶ bytes). The videos are 64×36 at 10 fps with a cut every second, tones, and "
        "a voice every ten scenes. Base processing runs all four stages with the nano models "
        "(profile `nano`); libraries such as torch are the same fixed share of each. Reading is "
        "what follows it: every scene's prompt as a model is told it, `base_data.json` from end to "
        "end, and the scenes as a report shows them."
    )
