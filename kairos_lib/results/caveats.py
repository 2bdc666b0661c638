"""Reasons to doubt a ranking or a ratio even though its runs may be compared.

The verdict and `kairos compare` use the same words.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import pairwise

from kairos_lib.results.badges import CO_RUN, SHARED, SHARED_GPU, Badge
from kairos_lib.results.step_runs import VlmRun

SAME_BOOT_S = 60
"""The boot time is computed from the clock, which is adjusted now and then."""
SHARING = {
    SHARED: "shared the processor with other work",
    SHARED_GPU: "shared the GPU with other work",
    CO_RUN: "ran several at once (SLOTS=)",
}
"""Other work that can have slowed runs, and how it is described."""
ALIKE = (
    "they can be compared because rounds were made in turn (A B A B), so that it affected all alike"
)
NOT_ALIKE = (
    "as rounds are not known to have been made in turn (A B A B), a lead can come from when a run "
    "was made"
)


def doubts(
    worn: Mapping[str, Sequence[Collection[Badge]]],
    rounds: Mapping[str, Sequence[Sequence[VlmRun]]],
) -> list[str]:
    """A line for each thing to know before trusting a ranking or a ratio.

    Runs that shared their machine are ranked and compared: other work that affects all of them
    makes all times longer, and work that affects single rounds widens the ratios' interval. Only
    if rounds were made in turn can it be assumed to have affected all alike.

    Args:
        worn: The badges of each run that counts, by what is compared: `A` and `B`, or models.
        rounds: For each video, or each model on a video, its rounds, each with the runs that are
            compared with one another.
    """
    turns = {
        name: in_turn(several)
        for name, each in rounds.items()
        if len(several := [runs for runs in each if len(runs) > 1]) > 1
    }
    return [*_order(turns), *_sharing(worn, bool(turns) and all(turns.values()))]


def _order(turns: Mapping[str, bool | None]) -> Iterator[str]:
    """Runs that were not made in turn: drift of the machine then looks like a difference."""
    apart = [name for name, turned in turns.items() if turned is False]
    unknown = [name for name, turned in turns.items() if turned is None]
    if apart:
        yield (
            f"not interleaved ({', '.join(apart)}): runs were not made in turn (A B A B), so that "
            "a drift of the machine cannot be distinguished from a difference"
        )
    if unknown:
        yield f"not known whether runs were made in turn ({', '.join(unknown)}): run by hand"


def _sharing(worn: Mapping[str, Sequence[Collection[Badge]]], turned: bool) -> Iterator[str]:
    total = sum(len(runs) for runs in worn.values())
    for badge, phrase in SHARING.items():
        counts = {name: sum(badge in one for one in runs) for name, runs in worn.items()}
        if not any(counts.values()):
            continue
        if sum(counts.values()) == total:
            which = f"all {total:,} runs" if total > 1 else "the run"
            held = f", and {ALIKE if turned else NOT_ALIKE}"
        else:
            each = [f"{counts[name]:,} of {len(worn[name]):,} of {name}" for name in worn]
            which = ", ".join(each)
            held = ", and the affected ones can look slower than they are"
        against = held if len(worn) > 1 else ""
        yield f"{badge.text}: {which} {phrase}, so that times are longer than alone{against}"


def in_turn(rounds: Iterable[Sequence[VlmRun]]) -> bool | None:
    """Whether each round began after all runs of the previous one had begun; None if unknown."""
    spans = []
    for runs in rounds:
        starts = [run.status.started_at if run.status else "" for run in runs]
        if not all(starts):
            return None
        times = [datetime.fromisoformat(start) for start in starts]
        spans.append((min(times), max(times)))
    return all(end < start for (_, end), (start, _) in pairwise(sorted(spans)))


def boots(runs: Iterable[VlmRun]) -> list[str]:
    """A line if runs on one machine were made before and after it was restarted."""
    found = [
        run.provenance.machine.boot_time_s
        for run in runs
        if run.provenance and run.provenance.machine.boot_time_s is not None
    ]
    if not found or max(found) - min(found) <= SAME_BOOT_S:
        return []
    return [
        "different boots: the machine was restarted in between, or these are two identical "
        "machines: part of a difference can come from that"
    ]
