"""What a reader must know before trusting a comparison."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from kairos_lib.compare.named_runs import NamedRuns
from kairos_lib.compare.pairing import Round, VideoPair
from kairos_lib.formats import count
from kairos_lib.results import badges, caveats
from kairos_lib.results.step_runs import VlmRun
from kairos_lib.runs.journal import Journal
from kairos_lib.runs.key_difference import changes, key_inputs, read_mapping
from kairos_lib.vlm.records import Caption

OTHER_CAVEATS = (badges.OFFLOADED, badges.SERVER, badges.BY_HAND)
"""Badges of things that can have changed a time, apart from other work on the machine."""


def reservations(a: NamedRuns, b: NamedRuns, pairs: list[VideoPair]) -> list[str]:
    """Reasons to doubt the ratios, one line each."""
    rounds = [each for pair in pairs for each in pair.rounds]
    sides = {"A": (a, [each.a for each in rounds]), "B": (b, [each.b for each in rounds])}
    worn = {
        name: [badges.of_run(run, side.suite) for run in runs]
        for name, (side, runs) in sides.items()
    }
    in_rounds = {
        f"{pair.models[0]} on {pair.video}": [(each.a, each.b) for each in pair.rounds]
        for pair in pairs
    }
    lines = [
        *_machines({name: runs for name, (_, runs) in sides.items()}),
        *caveats.doubts(worn, in_rounds),
    ]
    for name, runs in worn.items():
        counts = Counter(badge for each in runs for badge in each)
        lines += [
            f"{name}: {badge.text}, {counts[badge]} of {count(len(runs), 'run')}: "
            f"{badge.explanation}"
            for badge in OTHER_CAVEATS
            if counts[badge]
        ]
    return lines


def _machines(sides: dict[str, list[VlmRun]]) -> Iterator[str]:
    found: dict[str, set[str]] = {}
    kinds: set[object] = set()
    for name, runs in sides.items():
        for run in runs:
            machine = run.provenance.machine if run.provenance else None
            if machine is None:
                found.setdefault(name, set()).add("unknown")
                kinds.add(None)
                continue
            gpus = "".join(f", {gpu.name}" for gpu in machine.gpus)
            found.setdefault(name, set()).add(f"{machine.cpu} ({machine.threads_text}){gpus}")
            kinds.add(machine.same_as)
    if len(kinds) > 1:
        machines = ", ".join(f"{name} on {' and '.join(sorted(on))}" for name, on in found.items())
        yield f"different machines: {machines}: the ratios include their difference"
    else:
        yield from caveats.boots(run for runs in sides.values() for run in runs)


def differences(a: NamedRuns, b: NamedRuns, pairs: list[VideoPair]) -> list[str]:
    """Differences in what A and B were made of and in their captions, one line each."""
    lines: dict[str, None] = {}
    for pair in pairs:
        if not pair.rounds:
            continue
        first = pair.rounds[0]
        found = changes(_made(first.a), _made(first.b))
        before, after = _around(a, first.a), _around(b, first.b)
        for name in (name for name in before if name in after):
            # A value that one of them lacks is unknown, not a difference.
            found += changes(before[name], after[name], f"{name}.")
        lines |= dict.fromkeys(f"{pair.name}: {change}" for change in found)
        otherwise = _otherwise(pair, first)
        if otherwise:
            lines[f"{pair.name}, {pair.title}: {otherwise}"] = None
    return list(lines)


def _made(run: VlmRun) -> dict[str, Any]:
    """What a run's key was made of, except what `_around` covers in more detail."""
    return {k: v for k, v in key_inputs(run.folder).items() if k not in ("base", "versions")}


def _around(side: NamedRuns, run: VlmRun) -> dict[str, dict[str, Any]]:
    """The base processing of a run, the code and the libraries, as far as known."""
    base = side.suite.base(run.planned.video)
    noted = read_mapping(run.folder / "provenance.json")
    known = {name: noted[name] for name in ("git", "packages", "environment") if name in noted}
    return known | ({"base": key_inputs(base.folder)} if base else {})


def _otherwise(pair: VideoPair, first: Round) -> str:
    """How many scenes have different captions; empty if none."""
    a, b = (
        {one.scene: one.text for one in Journal(run.folder / "captions.jsonl", Caption)}
        for run in (first.a, first.b)
    )
    known = [(n, other) for n, other in pair.shared.items() if n in a and other in b]
    wrong = sum(a[number] != b[other] for number, other in known)
    return f"{wrong:,} of {count(len(known), 'scene')} captioned otherwise" if wrong else ""
