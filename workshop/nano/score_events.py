"""Scores the nano spotter on unseen matches: `python -m workshop.nano.score_events`.

The whole way of a user's run: a match is rendered, encoded, decoded, asked about window by window
through the engine and the adapter, and what is said is merged. Only here, and of these matches
alone, is the truth of a held-out match read.
"""

from __future__ import annotations

import logging
import math
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import click
from rich.console import Console

from kairos_lib.events.asking import Asking
from kairos_lib.events.average_map import average_map
from kairos_lib.events.ensemble import accepted, vote
from kairos_lib.events.formats import read_events
from kairos_lib.events.merging import merged, perfect
from kairos_lib.events.records import Event, SpottedEvent
from kairos_lib.events.scoring import score_videos
from kairos_lib.events.windows import batches, grid
from kairos_lib.parameters.loading import load
from kairos_lib.parameters.model import Model
from kairos_lib.parameters.spotting import Spotting
from kairos_lib.project import Project
from kairos_lib.runs.run import Run
from kairos_lib.vlm.adapter import Adapter, find_family
from workshop.nano.match_clip import DURATION_S, make_match_clip, truth_beside, unseen_seeds
from workshop.nano.plays import draw_match
from workshop.nano.scoring import Line
from workshop.nano.train_events import TASK, WEIGHTS

log = logging.getLogger("kairos.nano")

MODEL = "nano-events"
IN_FOUR_BITS = "nano-events-4bit"
FIRST = "first"
F1_TARGET = 0.9
AVERAGE_MAP_TARGET = 0.75


@dataclass(frozen=True)
class Spotted:
    """One match: what happened in it, what was found, and the most that could have been."""

    truth: tuple[Event, ...]
    found: list[SpottedEvent]
    at_best: list[SpottedEvent]
    outcomes: Counter[str]
    """Windows of each outcome."""


@click.command()
@click.option("--matches", default=8, show_default=True, help="Held-out matches of four minutes.")
@click.option("--duration-s", default=DURATION_S, show_default=True, help="Of each.")
@click.option("--weights", type=click.Path(path_type=Path), default=WEIGHTS, show_default=True)
@click.option("--other", type=click.Path(path_type=Path), help="Weights of another training.")
@click.option("--four-bit", is_flag=True, help="Score the same weights in 4 bits beside them.")
def main(
    matches: int, duration_s: float, weights: Path, other: Path | None, four_bit: bool
) -> None:
    """Score the nano spotter on matches that it has never seen, and its vote with a second one."""
    from workshop.nano.score import table_of

    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    log.setLevel(logging.INFO)
    spotters = {FIRST: loaded(weights)}
    if other:
        spotters["another training"] = loaded(other)
    if four_bit:
        spotters["in 4 bits"] = loaded(weights, IN_FOUR_BITS)
    found = spotted(unseen_seeds(matches), duration_s, spotters)
    scored = lines_of(found[FIRST]) + lines_of_vote(found)
    Console().print(table_of(scored))
    if any(line.missed for line in scored):
        raise SystemExit(1)


def lines() -> list[Line]:
    """F1 and average-mAP on unseen matches; none as long as there are no weights."""
    if not WEIGHTS.is_dir():
        log.warning("events are not scored: there are no weights at %s", WEIGHTS)
        return []
    return lines_of(spotted(unseen_seeds(8), DURATION_S, {FIRST: loaded(WEIGHTS)})[FIRST])


def spotted(
    seeds: Sequence[int], duration_s: float, spotters: Mapping[str, Adapter]
) -> dict[str, list[Spotted]]:
    """Look for events in matches.

    Args:
        seeds: Of the matches.
        duration_s: Of each.
        spotters: By the names under which what they found is given back.
    """
    done: dict[str, list[Spotted]] = {name: [] for name in spotters}
    with tempfile.TemporaryDirectory() as folder:
        for number, seed in enumerate(seeds, start=1):
            clip = Path(folder) / f"match-{seed}.mp4"
            make_match_clip(draw_match(seed, duration_s), clip)
            for name, adapter in spotters.items():
                run = Run(Path(folder) / f"match-{seed}" / name, {"clip": clip.name})
                done[name].append(spotted_in(clip, duration_s, adapter, run))
            log.info("looked for events in match %d of %d", number, len(seeds))
    return done


def spotted_in(clip: Path, duration_s: float, adapter: Adapter, run: Run) -> Spotted:
    """Look for events in the clip of a match whose truth lies beside it."""
    spotting = task()
    windows = grid(duration_s, spotting.windows)
    run.create()
    asking = Asking(run, spotting, batches(windows, spotting.batch_size))
    asking.use(adapter, clip)
    asking.ask()
    truth = read_events(truth_beside(clip), spotting.labels)
    return Spotted(
        truth,
        [*merged(asking.answers, spotting)],
        [*merged(perfect(truth, windows), spotting)],
        Counter(answer.outcome for answer in asking.answers),
    )


def lines_of(found: Sequence[Spotted]) -> list[Line]:
    """What was found, held against what happened."""
    spotting = task()
    labels = list(spotting.labels)
    truth, predicted = [one.truth for one in found], [one.found for one in found]
    scores = score_videos(truth, predicted, labels, spotting.tolerance_s)
    tight = average_map(truth, predicted, labels, "tight")
    at_best = average_map(truth, [one.at_best for one in found], labels, "tight")
    outcomes: Counter[str] = sum((one.outcomes for one in found), Counter())
    unread = sum(n for outcome, n in outcomes.items() if outcome not in ("event", "no event"))
    windows = outcomes.total()
    size = f"{scores.micro.true} events, {scores.micro.predicted} found"
    within = f"F1 within {spotting.tolerance_s:g} s"
    return [
        Line("events", within, scores.micro.f1 or 0.0, F1_TARGET, size),
        Line("events", "tight average-mAP", tight.overall, AVERAGE_MAP_TARGET, size),
        Line("events", "... without fault", at_best.overall, None, size),
        Line("events", "answers that can be read", 1 - unread / windows, None, f"{windows} asked"),
        *(
            Line("events", f"{within}: {one.label}", one.f1 or 0.0, None, f"{one.true} events")
            for one in scores.labels
        ),
    ]


def lines_of_vote(found: Mapping[str, Sequence[Spotted]]) -> list[Line]:
    """What two spotters found and their vote, which is to be better than each."""
    if len(found) < 2:
        return []
    spotting = task()
    labels = list(spotting.labels)
    truth = [one.truth for one in found[FIRST]]
    matches = range(len(truth))
    events = {name: [one.found for one in runs] for name, runs in found.items()}
    votes = [
        vote({name: each[n] for name, each in events.items()}, spotting.merge_radius_s)
        for n in matches
    ]
    together = [accepted(agreed) for agreed in votes]
    size = f"{sum(map(len, truth))} events"
    lines = []

    def f1(each: Sequence[Sequence[Event]]) -> float:
        return score_videos(truth, each, labels, spotting.tolerance_s).micro.f1 or 0.0

    def tight(each: Sequence[Sequence[Event]]) -> float:
        return average_map(truth, each, labels, "tight").overall

    for measure, of in (
        (f"F1 within {spotting.tolerance_s:g} s", f1),
        ("tight average-mAP", tight),
    ):
        alone = {name: of(each) for name, each in events.items()}
        # Above each, not as good as: the next number there is.
        target = math.nextafter(max(alone.values()), 2.0)
        lines += [
            Line("events", f"{measure}: {name}", value, None, size)
            for name, value in alone.items()
            if name != FIRST
        ]
        lines.append(Line("events", f"{measure}: by vote", of(together), target, size))
    return lines


def task() -> Spotting:
    """What is asked."""
    return load(Project.find(), Spotting, TASK)


def loaded(weights: Path, model: str = MODEL) -> Adapter:
    """A nano spotter.

    Args:
        weights: Their folder.
        model: Whose parameters say how they are loaded.
    """
    settings = load(Project.find(), Model, model)
    adapter = find_family(settings.family)(settings, weights)
    adapter.load()
    return adapter


if __name__ == "__main__":
    main()
