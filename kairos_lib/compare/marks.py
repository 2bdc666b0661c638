"""What a reader must know before believing a comparison."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import pairwise
from typing import Any

from kairos_lib.compare.pairing import Round, VideoPair
from kairos_lib.compare.sides import Side
from kairos_lib.ingredients import changes, ingredients, read_mapping
from kairos_lib.records import Caption
from kairos_lib.report.formats import count
from kairos_lib.results import badges
from kairos_lib.results.suite import VlmRun
from kairos_lib.runs import Journal

SAME_BOOT_S = 60
"""The time of a boot is reckoned back from the clock, which is set now and then."""
TOLD = (
    badges.CO_RUN, badges.SHARED, badges.SHARED_GPU, badges.OFFLOADED, badges.SERVER,
    badges.BY_HAND,
)  # fmt: skip
"""Badges of what can have changed a time."""


def marks(a: Side, b: Side, pairs: list[VideoPair]) -> list[str]:
    """What speaks against trusting the ratios, a line each."""
    rounds = [each for pair in pairs for each in pair.rounds]
    sides = {"A": (a, [each.a for each in rounds]), "B": (b, [each.b for each in rounds])}
    lines = [*_order(pairs), *_machines({name: runs for name, (_, runs) in sides.items()})]
    for name, (side, runs) in sides.items():
        worn = Counter(badge for run in runs for badge in badges.of_run(run, side.suite))
        lines += [
            f"{name}: {badge.text}, {worn[badge]} of {count(len(runs), 'run')}: {badge.explanation}"
            for badge in TOLD
            if worn[badge]
        ]
    return lines


def _order(pairs: list[VideoPair]) -> Iterator[str]:
    """Pairs whose runs were not made in turn: then a drift of the machine looks like a change."""
    unknown: list[str] = []
    apart: list[str] = []
    for pair in pairs:
        if len(pair.rounds) > 1:
            turns = interleaved(pair.rounds)
            if turns is not True:
                (unknown if turns is None else apart).append(f"{pair.models[0]} on {pair.video}")
    if apart:
        yield (
            f"not interleaved ({', '.join(apart)}): A's runs and B's were not made in turn "
            "(A B A B), so that a drift of the machine cannot be told from a change"
        )
    if unknown:
        yield f"not known whether A and B were made in turn ({', '.join(unknown)}): run by hand"


def interleaved(rounds: Iterable[Round]) -> bool | None:
    """Whether each round began after both runs of the one before had begun; none if unknown."""
    spans = []
    for each in rounds:
        starts = [run.status.started_at if run.status else "" for run in (each.a, each.b)]
        if not all(starts):
            return None
        times = [datetime.fromisoformat(start) for start in starts]
        spans.append((min(times), max(times)))
    return all(end < start for (_, end), (start, _) in pairwise(sorted(spans)))


def _machines(sides: dict[str, list[VlmRun]]) -> Iterator[str]:
    found: dict[str, set[str]] = {}
    kinds: set[object] = set()
    boots: list[int] = []
    for name, runs in sides.items():
        for run in runs:
            machine = run.provenance.machine if run.provenance else None
            if machine is None:
                found.setdefault(name, set()).add("unknown")
                kinds.add(None)
                continue
            gpus = "".join(f", {gpu.name}" for gpu in machine.gpus)
            found.setdefault(name, set()).add(f"{machine.cpu} ({machine.told_threads}){gpus}")
            kinds.add(machine.same_as)
            if machine.boot_time_s is not None:
                boots.append(machine.boot_time_s)
    if len(kinds) > 1:
        told = ", ".join(f"{name} on {' and '.join(sorted(on))}" for name, on in found.items())
        yield f"different machines: {told}: the ratios are of these as well"
    elif boots and max(boots) - min(boots) > SAME_BOOT_S:
        yield (
            "different boots: the machine was started anew in between, or these are two that are "
            "alike: part of a difference can come from that"
        )


def differences(a: Side, b: Side, pairs: list[VideoPair]) -> list[str]:
    """What A and B were made of that is not the same, and what they wrote, a line each."""
    lines: dict[str, None] = {}
    for pair in pairs:
        if not pair.rounds:
            continue
        first = pair.rounds[0]
        found = changes(_made(first.a), _made(first.b))
        before, after = _around(a, first.a), _around(b, first.b)
        for name in (name for name in before if name in after):
            # What one of them does not say is not known, which is no difference.
            found += changes(before[name], after[name], f"{name}.")
        lines |= dict.fromkeys(f"{pair.name}: {change}" for change in found)
        otherwise = _otherwise(pair, first)
        if otherwise:
            lines[f"{pair.name}, {pair.title}: {otherwise}"] = None
    return list(lines)


def _made(run: VlmRun) -> dict[str, Any]:
    """What a run's key was made of, but what is told by `_around` in more detail."""
    return {k: v for k, v in ingredients(run.folder).items() if k not in ("base", "versions")}


def _around(side: Side, run: VlmRun) -> dict[str, dict[str, Any]]:
    """The base processing beneath a run, the code and the libraries, as far as they are known."""
    base = side.suite.base(run.planned.video)
    noted = read_mapping(run.folder / "provenance.json")
    known = {name: noted[name] for name in ("git", "packages", "environment") if name in noted}
    return known | ({"base": ingredients(base.folder)} if base else {})


def _otherwise(pair: VideoPair, first: Round) -> str:
    """How many scenes are captioned otherwise; empty where none is."""
    a, b = (
        {one.scene: one.text for one in Journal(run.folder / "captions.jsonl", Caption)}
        for run in (first.a, first.b)
    )
    known = [(n, other) for n, other in pair.shared.items() if n in a and other in b]
    wrong = sum(a[number] != b[other] for number, other in known)
    return f"{wrong:,} of {count(len(known), 'scene')} captioned otherwise" if wrong else ""
