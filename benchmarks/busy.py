"""Captions on a machine that other work keeps busy: threads that spin while they wait, and ours."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.busy_child import LENGTH_S
from benchmarks.clips import world_clip
from benchmarks.harness import Comparison, Contender, Trial, all_equal, compete
from benchmarks.table import Page, markdown, rounds_table
from kairos_lib.measure import threads

MODEL = "nano"
SCENES = 3
BEFORE, NOW = "as OpenMP waits by itself", "as Kairos has it wait"
RIVAL = "while True: pass"
"""A process that keeps one core busy."""
SHARED = 2.0
"""How much longer captions may take where every core has one other process at most: each thread has
half a core then, and all wait for the slowest."""
IDLE = 1.05
"""How much longer an idle machine may take than before: less than it wanders by."""


@dataclass(frozen=True)
class Told:
    """What one process came to."""

    captions: tuple[str, ...]
    time_s: float
    """Of the captions alone: loading the model is not in it."""


def captions_s(trial: Trial[Told]) -> float:
    """What is compared."""
    return trial.result.time_s


def run(cache: Path, rounds: int, command: str, say: Callable[[str], None]) -> Page:
    """Caption with no rival, with one, and with one for each core."""
    clip = world_clip(cache, scenes=6, duration_s=LENGTH_S)
    cores = threads.available()
    loads = sorted({0, 1, cores})
    contenders = [
        Contender(_name(way, rivals), _turn(clip, way, rivals)) for rivals in loads for way in WAYS
    ]
    comparison = compete(contenders, rounds, _agree, say)
    page = Page("Captions on a busy machine", command, rounds)
    page.add(
        f"The model `{MODEL}` captions {SCENES} scenes of one clip, one at a time, on {cores} "
        "cores, beside processes that do nothing but keep a core busy each. Every turn is a "
        "process of its own; loading is not counted; captions are compared first.",
        _table(comparison, loads),
        "## Every round",
        rounds_table(comparison, captions_s),
        "The busy processes are this benchmark's own and do not count as others.",
    )
    return page


def _environment(way: str) -> dict[str, str]:
    """As many threads both ways: only how they wait differs."""
    bare = {name: value for name, value in os.environ.items() if name not in threads.NAMES}
    wanted = threads.missing(bare)
    return {**bare, **wanted} if way == NOW else {**bare, threads.COUNT: wanted[threads.COUNT]}


WAYS = (BEFORE, NOW)


def _name(way: str, rivals: int) -> str:
    return f"{way}, {rivals} busy" if rivals else f"{way}, idle"


def _turn(clip: Path, way: str, rivals: int) -> Callable[[], Told]:
    def turn() -> Told:
        busy = [subprocess.Popen([sys.executable, "-c", RIVAL]) for _ in range(rivals)]
        try:
            answer = subprocess.run(
                [sys.executable, "-m", "benchmarks.busy_child", MODEL, clip, str(SCENES)],
                env=_environment(way), stdout=subprocess.PIPE, check=True,
            )  # fmt: skip
        finally:
            for one in busy:
                one.kill()
                one.wait()
        told = json.loads(answer.stdout)
        return Told(tuple(told["captions"]), told["time_s"])

    return turn


def _agree(results: Mapping[str, Told]) -> None:
    all_equal({name: told.captions for name, told in results.items()})


def _table(comparison: Comparison[Told], loads: list[int]) -> str:
    """One row for each load: both ways against the idle machine, and against one another."""
    header = [
        "busy processes", f"{BEFORE}, s", f"{NOW}, s", "before / now, by round",
        "now / now idle, by round", "target",
    ]  # fmt: skip
    rows = []
    for rivals in loads:
        before, now = (_name(way, rivals) for way in WAYS)
        slowed = comparison.round_ratios(now, _name(NOW, 0), captions_s)
        cost = comparison.round_ratios(now, before, captions_s)
        if rivals:
            target = f"now / idle at most {SHARED:.0f}: {_reached(slowed.median, SHARED)}"
        else:
            target = f"now / before at most {IDLE}: {_reached(cost.median, IDLE)}"
        rows.append(
            [
                str(rivals) if rivals else "none",
                comparison.spread(before, captions_s).told(),
                comparison.spread(now, captions_s).told(),
                comparison.round_ratios(before, now, captions_s).told(),
                slowed.told(),
                target,
            ]
        )
    return markdown(header, rows)


def _reached(value: float, limit: float) -> str:
    return "reached" if value <= limit else f"**missed** ({value:.2f})"
