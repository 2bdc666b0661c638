"""Asks the package `SoccerNet` 0.2.0 about 200 cases: `tests/events/soccernet_answers.json`.

The package (MIT) is no dependency of ours: it brings 41 others and reads files alone. It gets an
environment of its own, in which this script runs; all that it needs of what the package asks for:

    python3 -m venv soccernet-venv
    soccernet-venv/bin/pip install --no-deps SoccerNet==0.2.0
    soccernet-venv/bin/pip install numpy tqdm scikit-learn
    soccernet-venv/bin/python benchmarks/soccernet_oracle.py

Cases are drawn from seeds: a few minutes later the same file is written again. Knows nothing of
Kairos.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ANSWERS = Path(__file__).parent.parent / "tests" / "events" / "soccernet_answers.json"
METRICS = ("loose", "tight", "at1", "at5")
DIGITS = 12
HALF_MS = 45 * 60 * 1000
TWO_HOURS_MS = 2 * 60 * 60 * 1000
LABELS_FILE, PREDICTIONS_FILE = "Labels-v2.json", "results_spotting.json"


@dataclass
class Case:
    """Halves of some games, what happened in them and what was predicted."""

    name: str
    labels: int
    games: int = 1
    truth: list[tuple[int, int, int, int]] = field(default_factory=list)
    """Half, counted over all games; label; milliseconds; 1 if shown, 0 if not. A label past the
    last is one that is not scored."""
    predicted: list[tuple[int, int, int, float]] = field(default_factory=list)
    """Half, label, milliseconds, confidence."""

    def halves(self) -> range:
        """The numbers of its halves."""
        return range(2 * self.games)


Kind = Callable[[random.Random, Case], None]


def some(draw: random.Random, case: Case, events: int, spread_ms: int, off_ms: float) -> None:
    """Events here and there, most of them predicted about right, and some predictions of nothing.

    Args:
        draw: Where chance comes from.
        case: To add to.
        events: At most so many of a label in a half.
        spread_ms: They lie within this from a start of their own.
        off_ms: How far predictions are off, as a standard deviation.
    """
    for half in case.halves():
        for label in range(case.labels):
            start = draw.randrange(HALF_MS)
            for _ in range(draw.randint(0, events)):
                at = start + draw.randrange(spread_ms)
                case.truth.append((half, label, at, int(draw.random() < 0.7)))
                for _ in range(draw.choice((0, 1, 1, 1, 2))):
                    when = max(0, round(draw.gauss(at, off_ms)))
                    case.predicted.append((half, label, when, round(draw.random(), 3)))
            for _ in range(draw.randint(0, 1 + events // 2)):
                when = start + draw.randrange(spread_ms)
                case.predicted.append((half, label, when, round(draw.random() * 0.7, 3)))
    draw.shuffle(case.predicted)


def scattered(draw: random.Random, case: Case) -> None:
    case.labels, case.games = draw.randint(1, 3), draw.randint(1, 2)
    some(draw, case, 5, HALF_MS, draw.choice((300, 1500, 8000)))


def crowded(draw: random.Random, case: Case) -> None:
    """Many within a minute: who takes which prediction depends on who was first."""
    case.labels = draw.randint(1, 2)
    some(draw, case, 14, 60_000, 5000)


def equally_sure(draw: random.Random, case: Case) -> None:
    some(draw, case, 8, 90_000, 4000)
    sure = draw.choice(((0.5,), (0,), (1,), (0, 1)))
    case.predicted = [(*known, draw.choice(sure)) for *known, _ in case.predicted]


def at_thresholds(draw: random.Random, case: Case) -> None:
    """As sure as a threshold says, or a hair less or more; near ones that share a threshold."""
    some(draw, case, 10, 120_000, 2000)
    case.predicted = [
        (*known, draw.choice((n / 199, n / 199 - 1e-12, min(1, n / 199 + 1e-12), (n + 0.4) / 200)))
        for *known, _ in case.predicted
        for n in (draw.randint(1, 199),)
    ]


def one_bin(draw: random.Random, case: Case) -> None:
    """Several in the same half second, and right before and after its end."""
    for half in case.halves():
        for _ in range(5):
            at = draw.randrange(0, HALF_MS, 500)
            for _ in range(draw.randint(1, 3)):
                at_ms = at + draw.choice((0, 1, 250, 499))
                case.truth.append((half, draw.randrange(case.labels), at_ms, draw.randint(0, 1)))
            for _ in range(draw.randint(1, 5)):
                when = max(0, at + draw.choice((-500, -1, 0, 1, 250, 499, 500, 501)))
                sure = round(draw.random(), 2)
                case.predicted.append((half, draw.randrange(case.labels), when, sure))
    draw.shuffle(case.predicted)
    draw.shuffle(case.truth)


def past_two_hours(draw: random.Random, case: Case) -> None:
    some(draw, case, 4, 300_000, 4000)
    for _ in range(6):
        late = TWO_HOURS_MS + draw.choice((-31_000, -1000, -500, -1, 0, 1, 60_000, 9**9))
        half, label = draw.choice(case.halves()), draw.randrange(case.labels)
        if draw.random() < 0.5:
            case.truth.append((half, label, late, draw.randint(0, 1)))
        case.predicted.append((half, label, late, round(draw.random(), 3)))


def negative(draw: random.Random, case: Case) -> None:
    """Before the start: the package counts such bins from the end, which events may lie at."""
    some(draw, case, 3, 300_000, 4000)
    for _ in range(8):
        early = draw.choice((-1, -499, -500, -501, -1000, -2500, -61_000))
        half, label = draw.choice(case.halves()), draw.randrange(case.labels)
        if draw.random() < 0.4:
            at = draw.choice((early, TWO_HOURS_MS + early, 0))
            case.truth.append((half, label, at, draw.randint(0, 1)))
        case.predicted.append((half, label, early, round(draw.random(), 3)))


def unshown_only(draw: random.Random, case: Case) -> None:
    some(draw, case, 6, 200_000, 3000)
    case.truth = [(half, label, at, 0) for half, label, at, _ in case.truth]


def something_is_missing(draw: random.Random, case: Case) -> None:
    some(draw, case, 5, 200_000, 3000)
    missing = draw.randrange(5)
    if missing in (0, 2):
        case.truth = []
    if missing in (1, 2):
        case.predicted = []
    if missing == 3:  # The second label in the first half.
        case.truth = [event for event in case.truth if event[:2] != (0, 1)]
    if missing == 4:
        case.truth = [event for event in case.truth if event[0] == 0]
        case.predicted = [event for event in case.predicted if event[0] == 1]


def tenths(draw: random.Random, case: Case) -> None:
    """10, 20 or 30 events, some of them found: the recall lies on a level that is asked for."""
    case.labels = 2
    for label in range(case.labels):
        for at in range(draw.choice((10, 20, 30))):
            case.truth.append((0, label, 70_000 * at, draw.randint(0, 1)))
            if draw.random() < 0.6:
                case.predicted.append((0, label, 70_000 * at, round(draw.random(), 2)))
            if draw.random() < 0.4:
                case.predicted.append((0, label, 70_000 * at + 35_000, round(draw.random(), 2)))


def other_labels(draw: random.Random, case: Case) -> None:
    case.labels = 3
    some(draw, case, 5, 200_000, 3000)
    case.labels = 2


def seventeen(draw: random.Random, case: Case) -> None:
    case.labels, case.games = 17, 1
    some(draw, case, 3, 400_000, 3000)


def several_games(draw: random.Random, case: Case) -> None:
    case.labels, case.games = 2, draw.randint(3, 5)
    some(draw, case, 3, 100_000, 3000)


KINDS: tuple[tuple[Kind, int], ...] = (
    (scattered, 60), (crowded, 40), (equally_sure, 16), (at_thresholds, 12), (one_bin, 12),
    (past_two_hours, 10), (negative, 10), (unshown_only, 8), (something_is_missing, 12),
    (tenths, 8), (other_labels, 4), (seventeen, 4), (several_games, 4),
)  # fmt: skip


def cases() -> Iterator[Case]:
    """All of them, drawn the same every time."""
    for kind, count in KINDS:
        for number in range(count):
            name = f"{kind.__name__} {number}"
            case = Case(name, labels=2)
            kind(random.Random(name), case)
            yield case


def label_names(count: int) -> list[str]:
    """What labels are called, by their numbers."""
    return [f"label {number}" for number in range(count)]


def write_files(case: Case, folder: Path) -> None:
    """A case as the files that the package reads."""
    names = label_names(case.labels + 1)
    for game in range(case.games):
        truth = [
            {
                "gameTime": f"{half % 2 + 1} - 00:00",
                "label": names[label],
                "position": str(at_ms),
                "visibility": "visible" if shown else "not shown",
            }
            for half, label, at_ms, shown in case.truth
            if half // 2 == game
        ]
        predicted = [
            {
                "half": str(half % 2 + 1),
                "label": names[label],
                "position": str(at_ms),
                "confidence": sure,
            }
            for half, label, at_ms, sure in case.predicted
            if half // 2 == game
        ]
        for kind, file, content in (
            ("truth", LABELS_FILE, {"annotations": truth}),
            ("predicted", PREDICTIONS_FILE, {"predictions": predicted}),
        ):
            path = folder / kind / "league" / "season" / f"game {game}" / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(content))


def ask(folder: Path, labels: Sequence[str], metric: str) -> list[list[float]]:
    """What the package says of files.

    Returns:
        Of all, visible and unshown events the mean, and then each label's.
    """
    from SoccerNet.Evaluation.ActionSpotting import evaluate

    with (
        Path(os.devnull).open("w") as nowhere,
        contextlib.redirect_stdout(nowhere),
        contextlib.redirect_stderr(nowhere),
    ):
        said: dict[str, Any] = evaluate(
            str(folder / "truth"),
            str(folder / "predicted"),
            prediction_file=PREDICTIONS_FILE,
            label_files=LABELS_FILE,
            dataset=None,
            metric=metric,
            EVENT_DICTIONARY={label: number for number, label in enumerate(labels)},
        )
    return [
        [float(value) for value in (said[f"a_mAP{part}"], *said[f"a_mAP_per_class{part}"])]
        for part in ("", "_visible", "_unshown")
    ]


def short(value: float) -> float | int:
    """As few characters as it takes."""
    rounded = round(value, DIGITS)
    return int(rounded) if rounded == int(rounded) else rounded


def main() -> None:
    """Write cases and answers."""
    lines = []
    for case in cases():
        print(case.name, file=sys.stderr)  # noqa: T201
        with tempfile.TemporaryDirectory() as folder:
            write_files(case, Path(folder))
            names = label_names(case.labels)
            answers = {
                metric: [[short(v) for v in part] for part in ask(Path(folder), names, metric)]
                for metric in METRICS
            }
        told = {**vars(case), "answers": answers}
        lines.append(json.dumps(told, separators=(",", ":")))
    ANSWERS.parent.mkdir(parents=True, exist_ok=True)
    ANSWERS.write_text("[\n" + ",\n".join(lines) + "\n]\n")


if __name__ == "__main__":
    main()
