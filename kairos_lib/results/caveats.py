"""What speaks against trusting a ranking or a ratio though its runs may be held together.

Said in the same words by the verdict and by `kairos compare`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import pairwise

from kairos_lib.results.badges import CO_RUN, SHARED, SHARED_GPU, Badge
from kairos_lib.results.step_runs import VlmRun

SAME_BOOT_S = 60
"""The time of a boot is reckoned back from the clock, which is set now and then."""
SHARING = {
    SHARED: "shared the processor with other work",
    SHARED_GPU: "shared the GPU with other work",
    CO_RUN: "ran several at once (SLOTS=)",
}
"""What other work can have slowed, and how it is told of runs."""
ALIKE = (
    "they can be held against one another because rounds were made in turn (A B A B), which lets "
    "it fall on all alike"
)
NOT_ALIKE = (
    "as rounds are not known to have been made in turn (A B A B), a lead can come from when a run "
    "was made"
)


def doubts(
    worn: Mapping[str, Sequence[Collection[Badge]]],
    rounds: Mapping[str, Sequence[Sequence[VlmRun]]],
) -> list[str]:
    """A line for each thing that must be known before believing a ranking or a ratio.

    Runs that shared their machine are ranked and compared: other work that falls on all alike makes
    all times longer, and what it does to single rounds makes their ratios' interval wider. That it
    fell on all alike rests on rounds that were made in turn.

    Args:
        worn: The badges of each run that counts, by what is compared: `A` and `B`, or models.
        rounds: By what they are over (a model on a video, a video) its rounds, each with the runs
            that are held against one another.
    """
    turns = {
        name: in_turn(several)
        for name, each in rounds.items()
        if len(several := [runs for runs in each if len(runs) > 1]) > 1
    }
    return [*_order(turns), *_sharing(worn, bool(turns) and all(turns.values()))]


def _order(turns: Mapping[str, bool | None]) -> Iterator[str]:
    """Runs that were not made in turn: then a drift of the machine looks like a difference."""
    apart = [name for name, turned in turns.items() if turned is False]
    unknown = [name for name, turned in turns.items() if turned is None]
    if apart:
        yield (
            f"not interleaved ({', '.join(apart)}): runs were not made in turn (A B A B), so that "
            "a drift of the machine cannot be told from a difference"
        )
    if unknown:
        yield f"not known whether runs were made in turn ({', '.join(unknown)}): run by hand"


def _sharing(worn: Mapping[str, Sequence[Collection[Badge]]], turned: bool) -> Iterator[str]:
    total = sum(len(runs) for runs in worn.values())
    for badge, told in SHARING.items():
        counts = {name: sum(badge in one for one in runs) for name, runs in worn.items()}
        if not any(counts.values()):
            continue
        if sum(counts.values()) == total:
            which = f"all {total:,} runs" if total > 1 else "the run"
            held = f", and {ALIKE if turned else NOT_ALIKE}"
        else:
            each = [f"{counts[name]:,} of {len(worn[name]):,} of {name}" for name in worn]
            which = ", ".join(each)
            held = ", and what it fell on can look slower than it is"
        against = held if len(worn) > 1 else ""
        yield f"{badge.text}: {which} {told}, so that times are longer than alone{against}"


def in_turn(rounds: Iterable[Sequence[VlmRun]]) -> bool | None:
    """Whether each round began after all runs of the one before had begun; none if unknown."""
    spans = []
    for runs in rounds:
        starts = [run.status.started_at if run.status else "" for run in runs]
        if not all(starts):
            return None
        times = [datetime.fromisoformat(start) for start in starts]
        spans.append((min(times), max(times)))
    return all(end < start for (_, end), (start, _) in pairwise(sorted(spans)))


def boots(runs: Iterable[VlmRun]) -> list[str]:
    """A line where runs of one machine were made before and after it was started anew."""
    found = [
        run.provenance.machine.boot_time_s
        for run in runs
        if run.provenance and run.provenance.machine.boot_time_s is not None
    ]
    if not found or max(found) - min(found) <= SAME_BOOT_S:
        return []
    return [
        "different boots: the machine was started anew in between, or these are two that are "
        "alike: part of a difference can come from that"
    ]
