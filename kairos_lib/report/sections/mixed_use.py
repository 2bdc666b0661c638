"""Which model for mixed use: good captions from one that keeps up, so that no queue builds up.

Decided by captions first, then speed, then memory, each only if the difference is shown.
"""

from __future__ import annotations

from collections.abc import Sequence

from kairos_lib import formats
from kairos_lib.results.ranked_models import Runner, fastest, smallest
from kairos_lib.results.speed_and_quality import SpeedAndQuality, apart

Answer = tuple[str, str]
"""The title of the chosen model, or an empty string; and the text that follows it."""


def mixed_use(runners: Sequence[Runner], stood: SpeedAndQuality) -> Answer:
    """Choose among the ranked models, or say why none is chosen."""
    up = [runner for runner in runners if runner.keeps_up]
    able = [runner for runner in up if not runner.handicap]
    if not up:
        nearest = min(runners, key=lambda runner: runner.slowest)
        return "", (
            f"None keeps up with every video on this machine; {nearest.title} comes nearest, "
            f"{formats.factor(nearest.slowest)} at its slowest."
        )
    if not able:
        reasons = "; ".join(f"{runner.title} {runner.handicap}" for runner in up)
        return "", f"None of those that keep up with every video is to be recommended: {reasons}."
    if len(able) == 1:
        others = "; ".join(f"{one.title} {one.handicap}" for one in up if one.handicap)
        rest = "" if len(runners) == 1 else " and is the only one that does"
        if others:
            rest = f"; not to be recommended of those that do: {others}"
        return able[0].title, f"{_keeps_up(able[0])}{rest}."
    points = {point.model: point for point in stood.points}
    judged = [runner for runner in able if runner.model in points]
    if not judged:
        return _by_speed(able, "whose captions were not compared")
    if len(judged) == 1:
        only = judged[0]
        return only.title, (
            f"{_keeps_up(only)} and is the only one that does whose captions could be compared."
        )
    best = max(judged, key=lambda runner: points[runner.model].value)
    level = [
        runner
        for runner in judged
        if runner is best or not apart(points[best.model], points[runner.model]).low > 0
    ]
    if len(level) == 1:
        return best.title, f"{_keeps_up(best)} and describes best of those that do."
    return _by_speed(level, "whose captions cannot be told apart")


def _keeps_up(runner: Runner) -> str:
    return f"keeps up with every video ({formats.factor(runner.rtf)} over all)"


def _by_speed(level: Sequence[Runner], which: str) -> Answer:
    """Choose by speed and memory among models that captions do not separate."""
    speed = fastest(level)
    if not speed.open:
        return speed.first.title, f"{_keeps_up(speed.first)} and is the fastest of those {which}."
    close = [speed.first, *(other for other, _ in speed.open)]
    kinds = {runner.memory_kind for runner in close}
    held = "memory cannot be compared"
    if len(kinds) == 1 and None not in kinds:
        memory = smallest(close)
        if not memory.open:
            return memory.first.title, (
                f"{_keeps_up(memory.first)} and needs least memory of those {which}; their speed "
                f"{speed.undecided}."
            )
        held = f"memory {memory.undecided}"
    names = " and ".join(runner.title for runner in close)
    return "", (
        f"Not decided between {names}, which keep up with every video and {which}: speed "
        f"{speed.undecided}, {held}."
    )
