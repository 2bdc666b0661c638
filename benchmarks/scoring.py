"""Our average-mAP against the package `SoccerNet`, over a test set made up for it."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.harness import Comparison, Contender, DisagreementError, Trial, compete
from benchmarks.soccernet_oracle import (
    HALF_MS,
    LABELS_FILE,
    PREDICTIONS_FILE,
    Case,
    label_names,
    write_files,
)
from benchmarks.table import Page, rounds_table, times_table
from kairos_lib.errors import KairosError
from kairos_lib.events.average_map import average_map
from kairos_lib.events.formats import read_halves

PYTHON = "SOCCERNET_PYTHON"
"""Environment variable: the interpreter of the package's environment."""
GAMES, LABELS = 50, 17
TRUE, PREDICTED = 110, 1000
"""In a half: SoccerNet-v2 has 110,458 annotations in 500 games; a model that asks often is unsure
often."""
METRICS = ("loose", "tight")
CLOSE = 1e-9
TARGET = 30
PACKAGE, KAIROS = "SoccerNet 0.2.0", "Kairos"


@dataclass(frozen=True)
class Told:
    """What one contender came to."""

    answer: list[list[float]]
    """Of all, visible and unshown events the mean, and then each label's."""
    total_s: float
    measure_s: float


def measure_s(trial: Trial[Told]) -> float:
    """The measure alone, of what was read before."""
    return trial.result.measure_s


def total_s(trial: Trial[Told]) -> float:
    """From files to figures."""
    return trial.result.total_s


def run(rounds: int, command: str, say: Callable[[str], None]) -> Page:
    """Let both measure the same files."""
    python = _python()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        case = made_up()
        write_files(case, folder)
        page = Page("Scoring: average-mAP", command, rounds)
        page.add(
            f"Both measure {GAMES} made-up games, {2 * GAMES} halves, with {LABELS} labels, some "
            f"frequent and most rare: {len(case.truth):,} true events and {len(case.predicted):,} "
            "predictions, read from the same files of SoccerNet JSON. Results are equal to "
            f"{CLOSE:g} in every round: the mean and each label's, of all, visible and unshown "
            "events. The package runs in an environment of its own, in a process that is started "
            f"before; its times are taken there. Target: the measure alone {TARGET} × as fast.",
        )
        script = Path(__file__).parent / "soccernet_child.py"
        with subprocess.Popen(
            [python, script, folder, str(LABELS)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        ) as child:  # fmt: skip
            try:
                for metric in METRICS:
                    contenders = [
                        Contender(PACKAGE, _theirs(child, metric)),
                        Contender(KAIROS, _ours(folder, metric)),
                    ]
                    say(metric)
                    page.add(*_section(metric, compete(contenders, rounds, agree, say)))
            finally:
                child.kill()
    return page


def _section(metric: str, comparison: Comparison[Told]) -> list[str]:
    fold = comparison.ratio(PACKAGE, KAIROS, measure_s)
    reached = "reached" if fold >= TARGET else "**missed**"
    whole = comparison.ratio(PACKAGE, KAIROS, total_s)
    return [
        f"## {metric.capitalize()}",
        "The measure alone, `average_mAP` of the package and `average_map` of ours: "
        f"{fold:.0f} × as fast; {TARGET} × {reached}.",
        times_table(comparison, KAIROS, measure_s),
        rounds_table(comparison, measure_s),
        *_others(comparison),
        "From files to figures, `evaluate` of the package and `read_halves` with `average_map` of "
        f"ours: {whole:.1f} × as fast. Most of our time is reading, which checks every entry.",
        times_table(comparison, KAIROS, total_s),
        rounds_table(comparison, total_s),
    ]


def _others(comparison: Comparison[Told]) -> list[str]:
    disturbed = sum(map(comparison.disturbed, comparison.trials))
    if not disturbed:
        return []
    turns = comparison.rounds * len(comparison.trials)
    return [
        f"**Others were at work on the machine in {disturbed} of {turns} turns**: seconds are too "
        "long and wander; ratios within a round suffer less, since both took their turns in it."
    ]


def made_up() -> Case:
    """Drawn the same every time."""
    draw = random.Random(0)
    case = Case("test set", LABELS, GAMES)
    weights = [0.7**number for number in range(LABELS)]
    for half in case.halves():
        labels = draw.choices(range(LABELS), weights, k=TRUE)
        for label in labels:
            at_ms = draw.randrange(HALF_MS)
            case.truth.append((half, label, at_ms, int(draw.random() < 0.8)))
            if draw.random() < 0.8:
                near_ms = max(0, round(draw.gauss(at_ms, 2000)))
                case.predicted.append((half, label, near_ms, draw.betavariate(4, 2)))
        for label in draw.choices(range(LABELS), k=PREDICTED - round(TRUE * 0.8)):
            case.predicted.append((half, label, draw.randrange(HALF_MS), draw.betavariate(1, 4)))
    return case


def _python() -> str:
    """The interpreter that has the package."""
    given = os.environ.get(PYTHON, "")
    if not given or not shutil.which(given):
        raise KairosError(
            f"{PYTHON}={given}: name the Python that has SoccerNet 0.2.0 "
            "(benchmarks/soccernet_oracle.py says how to make it)"
        )
    return given


def _theirs(child: subprocess.Popen[str], metric: str) -> Callable[[], Told]:
    def ask() -> Told:
        assert child.stdin is not None and child.stdout is not None
        child.stdin.write(f"{metric}\n")
        child.stdin.flush()
        if not (line := child.stdout.readline()):
            raise KairosError(f"the package of {PYTHON} ended without an answer: see what it said")
        return Told(**json.loads(line))

    return ask


def _ours(folder: Path, metric: str) -> Callable[[], Told]:
    labels = label_names(LABELS)

    def measure() -> Told:
        started = time.perf_counter()
        truth, predicted = (
            [half for path in sorted(folder.rglob(name)) for half in read_halves(path, labels)]
            for name in (LABELS_FILE, PREDICTIONS_FILE)
        )
        read = time.perf_counter()
        found = average_map(truth, predicted, labels, metric)  # type: ignore[arg-type]
        ended = time.perf_counter()
        parts = (found, found.visible, found.unshown)
        answer = [[part.overall, *part.per_label.values()] for part in parts]
        return Told(answer, ended - started, ended - read)

    return measure


def agree(results: Mapping[str, Told]) -> None:
    """See that all figures are equal.

    Raises:
        DisagreementError: Two are not.
    """
    theirs, ours = (
        [value for part in results[name].answer for value in part] for name in (PACKAGE, KAIROS)
    )
    if not all(abs(a - b) <= CLOSE for a, b in zip(theirs, ours, strict=True)):
        raise DisagreementError(f"{PACKAGE} and {KAIROS} came to different results")
