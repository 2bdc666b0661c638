"""What `benchmarks.repeats` recorded, and the table that is computed from it alone."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence

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
    usual,
    widened,
)
from benchmarks.table import markdown
from kairos_lib import formats
from kairos_lib.runs.record import Record
from kairos_lib.statistics.decision import LEVEL

FEWER = (4, 1)
"""Videos, for comparison."""
OTHER_DRAWS = 1000
"""Of other rules, some of which resample in their turn."""


class Times(Record):
    """How long one video took."""

    offline_s: float
    """All scenes in batches."""
    single_stream_s: tuple[float, ...]
    """Of each scene, one at a time."""
    foreign_cores: float
    """Mean number of cores that other processes kept busy meanwhile."""


class Repeats(Record):
    """What was measured; `results/repeats.json`."""

    model: str
    videos: tuple[str, ...]
    """In the order in which they were captioned; some several times."""
    scenes: int
    """Of all of them."""
    recorded: str
    """Day, UTC."""
    machine: Mapping[str, str]
    repeats: tuple[tuple[Times, ...], ...]
    """Each has all videos. Neighbours took turns video by video, as the models of a bench do."""


def figures(recorded: Repeats, videos: int) -> dict[str, list[float]]:
    """One figure of each repeat and scenario: the geometric mean over some videos, in seconds.

    The ratio of two such figures is the mean ratio that `kairos compare` makes of several videos,
    each of the same weight.

    Args:
        recorded: What was recorded.
        videos: How many of a repeat's videos, from the first.
    """
    repeats = [repeat[:videos] for repeat in recorded.repeats]
    mean = statistics.geometric_mean
    return {
        "offline": [mean(times.offline_s for times in repeat) for repeat in repeats],
        "single-stream": [mean(sum(times.single_stream_s) for times in each) for each in repeats],
    }


def page(recorded: Repeats) -> str:
    """The whole results file, computed from the recorded seconds alone."""
    all_videos = len(recorded.videos)
    times = {
        f"{name}, {formats.count(videos, 'video')}": seconds
        for videos in (all_videos, *FEWER)
        for name, seconds in figures(recorded, videos).items()
    }
    drawn = {
        name: {
            "any ten": list(any_ten(seconds)),
            "neighbours": list(neighbours(seconds)),
            "ten in a row": list(in_a_row(seconds)),
        }
        for name, seconds in times.items()
    }
    whole = {name: drawn[name] for name in list(times)[:2]}  # All videos come first.
    count = len(recorded.repeats)
    foreign = [times.foreign_cores for repeat in recorded.repeats for times in repeat]
    clips = ", ".join(f"`{video}`" for video in dict.fromkeys(recorded.videos))
    parts = [
        "# Comparing: how often it is right",
        f"Made by `make perf-repeats ROUNDS={count}` on {recorded.recorded} (UTC); "
        "`make perf-repeats NAME=table` computes it again from `repeats.json`.",
        f"The same bench, {count} times in one process: {recorded.model} captions {all_videos} "
        f"short videos, {recorded.scenes} scenes in all, one at a time and then in batches; they "
        f"are {clips}, again and again. Two neighbouring repeats took turns video by video, as two "
        "models of one bench do: A's first video, B's first video, A's second. Two sets of five "
        "repeats are drawn from these and handed to the very function that `kairos compare` "
        "decides by. Both are of the same thing, so that each difference it shows is false; with "
        f"B's seconds times {PLANTED:.2f} it has to say *slower*.",
        "What is decided by is the mean ratio over all videos; fewer of them are shown to see what "
        "the others are good for.",
        markdown(
            ["", "median [range], s for a video", "standard deviation", "n"],
            [_spread(name, seconds) for name, seconds in times.items()],
        ),
        f"Other processes kept {statistics.median(foreign):.2f} "
        f"[{min(foreign):.2f} – {max(foreign):.2f}] cores busy meanwhile (median and range over "
        "the videos of all repeats).",
        "## The rule of `kairos compare`",
        f"The ratio of each of five rounds, and Student's t interval ({LEVEL:.0%}) of their "
        "logarithms.",
        _ours(drawn),
        "*Targets: the same is called different at most 1 time in 20 (5 %), and a slowdown of "
        f"{PLANTED - 1:.0%} found at least 8 times in 10 with five paired repeats (neighbours); "
        f"both over {all_videos} videos.* " + _reached(whole),
        f"*Any ten*: ten different repeats, five for A and five for B ({DRAWS:,} draws). "
        f"*Neighbours*: five of the {count // 2} pairs of neighbours, A before B "
        f"({DRAWS:,} draws). *Ten in a row*: each five pairs in a row as A B A B, what one bench "
        "would have made; they overlap, so that few of them are independent. A *regression* ends "
        "`kairos compare` with exit code 1: shown to be slower, and by the threshold of 5 % or "
        "more.",
        "## Other rules, for comparison",
        _others(whole),
        "Widened percentiles are our bootstrap of the rounds' ratios, plain ones those of all "
        "3,125 ways to draw five of five, which are too narrow for five values. Welch's t takes no "
        "notice of which repeats were neighbours. Medians 5 % apart is what one does by eye.",
        "## What this does not show",
        f"The level of {LEVEL:.0%} was chosen with such recordings in view, this one among them, "
        "not before them. All repeats are of one process on one machine, on one day. Runs of a "
        "bench are each in a process of their own, which adds what differs between two starts of a "
        "process; other machines have other noise. The rule is the same, and its interval is as "
        "wide as the rounds that it is given differ.",
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
        f"Student's t of paired ratios, {LEVEL:.0%} (ours)": ours,
        "Student's t of paired ratios, 95%": usual,
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
