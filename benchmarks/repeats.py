"""Records many repeats of one small captioning, and shows with them that `kairos compare` holds.

`make perf-repeats`, or `python -m benchmarks.repeats --help`. The seconds are kept in
`results/repeats.json`; the table is computed from them alone, the same every time.
"""

from __future__ import annotations

import statistics
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import click

from benchmarks.base import RESULTS, check, say
from benchmarks.load import ForeignLoad
from benchmarks.resampling import (
    DRAWS,
    PLANTED,
    ROUNDS,
    Pair,
    Rule,
    any_ten,
    in_a_row,
    medians,
    neighbours,
    ours,
    percentiles,
    rates,
    regressions,
    unpaired,
    widened,
)
from benchmarks.table import markdown
from kairos_lib.errors import KairosError
from kairos_lib.records import Record, Scene
from kairos_lib.runs import read_record, write_record

NAMES = ("record", "table")
FILE = "repeats"
LEAST_REPEATS = 40
MODEL, VIDEO = "nano", "demo-match"
OTHER_DRAWS = 1000
"""Of other rules, some of which resample in their turn."""


class Repeat(Record):
    """The same work, once more."""

    offline_s: float
    """All scenes in batches."""
    single_stream_s: tuple[float, ...]
    """Of each scene, one at a time."""
    foreign_cores: float
    """Mean number of cores that other processes kept busy meanwhile."""


class Repeats(Record):
    """What was measured; `results/repeats.json`."""

    model: str
    video: str
    scenes: int
    recorded: str
    """Day, UTC."""
    machine: Mapping[str, str]
    repeats: tuple[Repeat, ...]


@click.command()
@click.option(
    "--name", envvar="KAIROS_NAME", default="",
    help="`table` writes the table again from the seconds that there are.",
)  # fmt: skip
@click.option("--rounds", envvar="KAIROS_ROUNDS", default=48, show_default=True, type=int)
@click.option(
    "--out", default=RESULTS, show_default="benchmarks/results",
    type=click.Path(file_okay=False, path_type=Path), help="Where seconds and table are written.",
)  # fmt: skip
def main(name: str, rounds: int, out: Path) -> None:
    """Record repeats of one captioning and write how often comparing them is right."""
    try:
        check(name, NAMES, rounds)
        if name != "table":
            if rounds < LEAST_REPEATS:
                raise KairosError(f"ROUNDS={rounds}: {LEAST_REPEATS} repeats are the least")
            write_record(out / f"{FILE}.json", record(rounds, say))
        recorded = read_record(out / f"{FILE}.json", Repeats)
        if recorded is None:
            raise KairosError(f"there is no {FILE}.json yet: leave out NAME=table to record one")
        path = out / f"{FILE}.md"
        path.write_text(page(recorded), encoding="utf-8")
        click.echo(path.read_text(encoding="utf-8"))
        click.echo(f"written to {path}")
    except KairosError as error:
        click.echo(f"benchmark: {error}", err=True)
        sys.exit(1)


def record(rounds: int, say: Callable[[str], None]) -> Repeats:
    """Caption a demo clip again and again in this process, in both scenarios."""
    from benchmarks.table import machine_rows
    from kairos_lib.nano.truth import ClipTruth
    from kairos_lib.parameters import load
    from kairos_lib.parameters import video as find_video
    from kairos_lib.project import Project
    from kairos_lib.settings import Model
    from kairos_lib.vlm.adapter import find_family
    from kairos_lib.vlm.engine import Engine
    from kairos_lib.weights import find

    project = Project.find()
    settings = load(project, Model, MODEL)
    path = find(project, settings.weights).path
    assert path is not None
    adapter = find_family(settings.family)(settings, path)
    adapter.load()
    scenes = [
        Scene(index=number, start_s=scene.start_s, end_s=scene.end_s)
        for number, scene in enumerate(ClipTruth.of_demo(VIDEO).scenes)
    ]
    clip = find_video(project, VIDEO).path
    engine = Engine(adapter, settings, clip, lambda scene: settings.prompt.instruction, "repeats")
    size = settings.batch_size if isinstance(settings.batch_size, int) else len(scenes)
    batches = [scenes[at : at + size] for at in range(0, len(scenes), size)]

    def once() -> Repeat:
        load_of_others = ForeignLoad()
        alone = [caption.timing.total_s for caption in engine.single_stream(scenes)]
        together = [batch.captions[-1].elapsed_s for batch in engine.offline(batches, size)]
        return Repeat(
            offline_s=round(together[-1], 5),
            single_stream_s=tuple(round(seconds, 5) for seconds in alone),
            foreign_cores=round(load_of_others.cores(), 3),
        )

    once()  # Fills caches; not counted, as warming up is not in a run.
    repeats = []
    for number in range(1, rounds + 1):
        say(f"repeat {number} of {rounds}")
        repeats.append(once())
    return Repeats(
        model=settings.title,
        video=VIDEO,
        scenes=len(scenes),
        recorded=f"{datetime.now(UTC):%Y-%m-%d}",
        machine=dict(machine_rows()),
        repeats=tuple(repeats),
    )


def page(recorded: Repeats) -> str:
    """The whole results file, computed from the recorded seconds alone."""
    times = {
        "offline": [repeat.offline_s for repeat in recorded.repeats],
        "single-stream": [sum(repeat.single_stream_s) for repeat in recorded.repeats],
    }
    drawn = {
        name: {
            "any ten": list(any_ten(seconds)),
            "neighbours": list(neighbours(seconds)),
            "ten in a row": list(in_a_row(seconds)),
        }
        for name, seconds in times.items()
    }
    foreign = [repeat.foreign_cores for repeat in recorded.repeats]
    parts = [
        "# Comparing: how often it is right",
        f"Made by `make perf-repeats ROUNDS={len(foreign)}` on {recorded.recorded} (UTC); "
        "`make perf-repeats NAME=table` computes it again from `repeats.json`.",
        f"The same work, {len(foreign)} times in one process, one after another: {recorded.model} "
        f"captions the {recorded.scenes} scenes of `{recorded.video}`, one at a time and then in "
        "batches. Two sets of five repeats are drawn from these and handed to the very function "
        "that `kairos compare` decides by. Both are of the same thing, so that each difference it "
        f"shows is false; with B's seconds times {PLANTED:.2f} it has to say *slower*.",
        markdown(
            ["", "median [range], s", "standard deviation", "n"],
            [_spread(name, seconds) for name, seconds in times.items()],
        ),
        f"Other processes kept {statistics.median(foreign):.2f} "
        f"[{min(foreign):.2f} – {max(foreign):.2f}] cores busy meanwhile (median and range over "
        "the repeats).",
        "## The rule of `kairos compare`",
        "The ratio of each of five rounds, and Student's t interval (95 %) of their logarithms.",
        _ours(drawn),
        "*Targets: the same is called different at most 1 time in 20 (5 %), and a slowdown of "
        f"{PLANTED - 1:.0%} found at least 8 times in 10 with five paired repeats (neighbours).* "
        + _reached(drawn),
        f"*Any ten*: ten different repeats, five for A and five for B ({DRAWS:,} draws). "
        f"*Neighbours*: five of the {len(foreign) // 2} pairs of neighbours, A before B "
        f"({DRAWS:,} draws). *Ten in a row*: each ten repeats in a row as A B A B, what one bench "
        "would have made; they overlap, so that few of them are independent. A *regression* ends "
        "`kairos compare` with exit code 1: shown to be slower, and by the threshold of 5 % or "
        "more.",
        "## Other rules, for comparison",
        _others(drawn),
        "Widened percentiles are our bootstrap of the rounds' ratios, plain ones those of all "
        "3,125 ways to draw five of five, which are too narrow for five values. Welch's t takes no "
        "notice of which repeats were neighbours. Medians 5 % apart is what one does by eye.",
        "## What this does not show",
        "All repeats are of one process on one machine, on one day. Runs of a bench are each in a "
        "process of their own, which adds what differs between two starts of a process; other "
        "machines have other noise. The rule is the same, and its interval is as wide as the "
        "rounds that it is given differ.",
        "## Machine",
        markdown(["", ""], [[name, value] for name, value in recorded.machine.items()]),
    ]
    return "\n\n".join(parts) + "\n"


def _spread(name: str, seconds: list[float]) -> list[str]:
    middle = statistics.median(seconds)
    return [
        name,
        f"{middle:.2f} [{min(seconds):.2f} – {max(seconds):.2f}]",
        f"{statistics.stdev(seconds) / statistics.fmean(seconds):.1%}",
        str(len(seconds)),
    ]


Drawn = Mapping[str, Mapping[str, Sequence[Pair]]]
"""By time and kind of draw."""


def _ours(drawn: Drawn) -> str:
    header = [
        "time, draw", "draws", "same called different", f"{PLANTED - 1:.0%} slower found",
        "same called a regression", f"{PLANTED - 1:.0%} slower called a regression",
    ]  # fmt: skip
    rows = []
    for name, draws in drawn.items():
        for kind, pairs in draws.items():
            found = rates(pairs, ours)
            rows.append(
                [
                    f"{name}, {kind}", f"{found.draws:,}", f"{found.different:.1%}",
                    f"{found.found:.1%}", f"{regressions(pairs, 1.0):.1%}",
                    f"{regressions(pairs, PLANTED):.1%}",
                ]
            )  # fmt: skip
    return markdown(header, rows)


def _reached(drawn: Drawn) -> str:
    """Whether both targets are met by both times."""
    kinds = ("any ten", "neighbours")
    found = [{kind: rates(draws[kind], ours) for kind in kinds} for draws in drawn.values()]
    sure = all(of[kind].different <= 1 / 20 for of in found for kind in kinds)
    sharp = all(of["neighbours"].found >= 8 / 10 for of in found)
    first, second = ("**reached**" if held else "**missed**" for held in (sure, sharp))
    return f"The first is {first}, the second {second}, each by both times."


def _others(drawn: Drawn) -> str:
    rules: dict[str, Rule] = {
        "Student's t of paired ratios (ours)": ours,
        "bootstrap of paired ratios, widened percentiles": widened,
        "bootstrap of paired ratios, plain percentiles": percentiles,
        "Welch's t, unpaired": unpaired,
        "medians 5 % apart": medians,
    }

    def cells(draws: Mapping[str, Sequence[Pair]], rule: Rule) -> list[str]:
        any_of, near = (
            rates(draws[kind][:OTHER_DRAWS], rule) for kind in ("any ten", "neighbours")
        )
        return [f"{any_of.different:.1%}", f"{near.different:.1%}", f"{near.found:.1%}"]

    heads = ["same called different, any ten", "neighbours", f"{PLANTED - 1:.0%} found, neighbours"]
    header = ["", *(f"{name}: {head}" for name in drawn for head in heads)]
    rows = [
        [title, *(cell for draws in drawn.values() for cell in cells(draws, rule))]
        for title, rule in rules.items()
    ]
    note = f"The first {OTHER_DRAWS:,} draws, {ROUNDS} rounds in each."
    return f"{markdown(header, rows)}\n\n{note}"


if __name__ == "__main__":
    main()
