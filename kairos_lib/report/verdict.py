"""The verdict: which model for what, in sentences made from the data, with what is too close.

Knows nothing of pages. Every sentence says what it rests on; where the data do not decide, it says
that instead.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from kairos_lib.report import formats
from kairos_lib.report.html import Html, render
from kairos_lib.report.standing import Point, Standing, standing
from kairos_lib.report.summary import Pair, pairs
from kairos_lib.results.badges import BROKEN, NANO, OFFLOADED, OTHER_MACHINE, OUTSIDE, SERVER
from kairos_lib.results.suite import SuiteData
from kairos_lib.statistics import bootstrap, decision
from kairos_lib.statistics.bootstrap import Interval, interval
from kairos_lib.statistics.decision import LEAST_ROUNDS, Ratio, ratio_of

ALIKE = 0.05
"""Peaks of memory this close are called equal: allocators and loading differ by as much."""
KEEPS_UP = 1.0
"""RTF at which work takes as long as the video."""


@dataclass(frozen=True)
class Finding:
    """The answer to one question."""

    question: str
    model: str
    """Title of the model that the answer names; empty where none is."""
    answer: str
    """What follows the model's name, or the whole answer."""


@dataclass(frozen=True)
class Runner:
    """One model that was timed on every video of the suite."""

    title: str
    pairs: tuple[Pair, ...]

    @property
    def rtf(self) -> float:
        """Sum of the median VLM times by sum of the lengths."""
        times_s = [pair.vlm_time_s for pair in self.pairs]
        return sum(t.value for t in times_s if t) / sum(p.length_s or 0.0 for p in self.pairs)

    @property
    def slowest(self) -> float:
        """The highest RTF of any video."""
        return max(rtf.value for pair in self.pairs if (rtf := pair.rtf))

    def times_s(self) -> dict[int, dict[str, float]]:
        """VLM time by round and video, of runs that were not resumed."""
        found: dict[int, dict[str, float]] = {}
        for pair in self.pairs:
            for run in pair.runs:
                if run.result is not None and run.result.offline.parts == 1:
                    by_video = found.setdefault(run.planned.repeat, {})
                    by_video[pair.video] = run.result.offline.time_s
        return found

    def memory_mib(self, vram: bool) -> float | None:
        """Highest peak of all runs, on the GPU or in RAM; none where it was not measured."""
        used = [result.resources for pair in self.pairs for result in pair.results]
        if vram:
            return max((u.peak_vram_mib for u in used if u.peak_vram_mib), default=None)
        return max((u.peak_ram_mib for u in used if u.samples), default=None)


def verdict(suite: SuiteData) -> Html | None:
    """The findings as a piece of the page; none where nothing was measured."""
    found = findings(suite)
    return render("verdict", findings=found) if found else None


def findings(suite: SuiteData) -> list[Finding]:
    """Which model for speed, for quality, for little memory and for mixed use."""
    runners, left_out = _runners(suite)
    stood = standing(suite)
    found = []
    if runners:
        found += [_speed(runners), _quality(stood), _memory(runners), _mixed(runners, stood)]
    if left_out:
        found.append(Finding("Not ranked", "", "; ".join(left_out) + "."))
    notes = _notes(suite)
    return [*found, *notes] if found else []


def _runners(suite: SuiteData) -> tuple[list[Runner], list[str]]:
    """Models with a time for every video, the fastest first; and why others have none."""
    by_model: dict[str, list[Pair]] = {}
    for pair in pairs(suite):
        by_model.setdefault(pair.model, []).append(pair)
    runners, left_out = [], []
    for told in by_model.values():
        reasons = {pair.title: why for pair in told if (why := _unfit(pair))}
        if reasons:
            title, why = next(iter(reasons.items()))
            more = f" and {len(reasons) - 1} more" if len(reasons) > 1 else ""
            left_out.append(f"{told[0].model_title} ({why} on {title}{more})")
        else:
            runners.append(Runner(told[0].model_title, tuple(told)))
    return sorted(runners, key=lambda runner: runner.rtf), left_out


def _unfit(pair: Pair) -> str:
    """Why a model's time on a video cannot be ranked; empty where it can."""
    time_s = pair.vlm_time_s
    if time_s is None or not pair.length_s:
        broken = [badge.text for badge in BROKEN.values() if badge in pair.badges]
        return broken[0] if broken else "no time"
    if OTHER_MACHINE in pair.badges:
        return "timed on another machine"
    return "resumed, so no statistic," if time_s.n == 0 else ""


def _speed(runners: Sequence[Runner]) -> Finding:
    first, *others = runners
    pace = "keeps up with" if first.rtf <= KEEPS_UP else "is slower than"
    own = f"{formats.factor(first.rtf)} of real time"
    if not others:
        return Finding("Speed", first.title, f"takes {own}: it {pace} the videos.")
    against = [(other, _ratio(first, other)) for other in others]
    close = [(o, r) for o, r in against if r is None or r.direction != "higher"]
    if not close:
        other, ratio = against[0]
        assert ratio is not None
        return Finding(
            "Speed",
            first.title,
            f"is the fastest: {own}, {ratio.value:.2f} times as fast as {other.title} "
            f"({_between(ratio.interval)}, {formats.count(ratio.rounds, 'round')}).",
        )
    other, ratio = close[0]
    told = f"{formats.factor(first.rtf)} against {formats.factor(other.rtf)} of {other.title}"
    if ratio is None or ratio.direction == "too few rounds":
        return Finding(
            "Speed",
            first.title,
            f"was ahead: {told}. With fewer than {LEAST_ROUNDS} rounds that can be chance; "
            "REPEATS=5 would tell.",
        )
    names = ", ".join(o.title for o, _ in close)
    return Finding(
        "Speed",
        "",
        f"Too close to call between {first.title} and {names}: {told}, a ratio of "
        f"{ratio.value:.2f} ({_between(ratio.interval)}, {formats.count(ratio.rounds, 'round')}).",
    )


def _ratio(one: Runner, other: Runner) -> Ratio | None:
    """How many times as long the other takes, over the rounds in which both did every video."""
    ours, theirs = one.times_s(), other.times_s()
    rounds = []
    for number in sorted(ours.keys() & theirs.keys()):
        a, b = ours[number], theirs[number]
        if len(a) == len(one.pairs) and a.keys() == b.keys():
            rounds.append(math.exp(statistics.fmean(math.log(b[v] / a[v]) for v in a)))
    return ratio_of(rounds) if rounds else None


def _quality(stood: Standing) -> Finding:
    if stood.yardstick is None:
        return Finding("Quality", "", f"Not compared: {stood.why_not}.")
    first, *others = sorted(stood.points, key=lambda point: -point.value)
    name = stood.yardstick.name.lower()
    scenes = formats.count(first.quality.n, "scene")
    extent = f"{scenes} of {formats.count(len(stood.videos), 'video')}"
    against = [(other, _apart(first, other)) for other in others]
    close = [other for other, apart in against if not apart.low > 0]
    low = "" if stood.yardstick.referenced else " That says little of how true they are."
    if close:
        names = " and ".join([first.title, close[0].title])
        values = f"{first.value:.1%} and {close[0].value:.1%}"
        if first.value == close[0].value:
            return Finding("Quality", "", f"{names} are equal: {values}, {name}, {extent}.{low}")
        apart = _apart(first, close[0])
        told = f"; the difference is {_points(apart)}" if apart.known else ""
        return Finding(
            "Quality", "",
            f"Too close to call between {names}: {values}, {name}, {extent}{told}.{low}",
        )  # fmt: skip
    other, apart = against[0]
    return Finding(
        "Quality",
        first.title,
        f"describes best: {first.value:.1%} against {other.value:.1%} of {other.title}, {name} "
        f"(a difference of {_points(apart)}; {extent}).{low}",
    )


def _apart(one: Point, other: Point) -> Interval:
    """The difference in quality, by drawing videos and scenes anew."""
    ours = dict(zip(one.quality.keys, one.quality.rows, strict=True))
    theirs = dict(zip(other.quality.keys, other.quality.rows, strict=True))
    keys = [key for key in ours if key in theirs]
    rows = [(*ours[key], *theirs[key]) for key in keys]
    return interval(rows, [video for video, _ in keys], statistic=_difference)


def _difference(rows: Any) -> float:
    part, whole, other_part, other_whole = rows.sum(axis=0)
    return float(part / whole - other_part / other_whole)


def _between(found: Interval) -> str:
    if not found.known:
        return "no interval"
    return f"{decision.LEVEL:.0%} interval {found.low:.2f} to {found.high:.2f}"


def _points(found: Interval) -> str:
    """A difference of shares, in points of a hundred."""
    if not found.known:
        return "unknown extent"
    return (
        f"{found.low * 100:.1f} to {found.high * 100:.1f} points ({bootstrap.LEVEL:.0%} interval)"
    )


def _memory(runners: Sequence[Runner]) -> Finding:
    vram = all(runner.memory_mib(True) is not None for runner in runners)
    where = "of GPU memory" if vram else "of RAM"
    known = [(runner, mib) for runner in runners if (mib := runner.memory_mib(vram))]
    if not known:
        return Finding("Memory", "", "Not measured.")
    known.sort(key=lambda pair: pair[1])
    (least, mib), *others = known
    if not others:
        return Finding("Memory", least.title, f"needs {formats.memory(mib)} {where} at its peak.")
    other, more = others[0]
    if more < mib * (1 + ALIKE):
        return Finding(
            "Memory", "",
            f"No difference worth naming: {least.title} {formats.memory(mib)} {where}, "
            f"{other.title} {formats.memory(more)}.",
        )  # fmt: skip
    return Finding(
        "Memory",
        least.title,
        f"needs least: {formats.memory(mib)} {where} at its peak, {other.title} "
        f"{formats.memory(more)}.",
    )


def _mixed(runners: Sequence[Runner], stood: Standing) -> Finding:
    """The best captions among those that keep up with every video, so that no queue grows."""
    able = [r for r in runners if r.slowest <= KEEPS_UP and not _handicapped(r)]
    if not able:
        nearest = min(runners, key=lambda runner: runner.slowest)
        return Finding(
            "Mixed use", "",
            f"None keeps up with every video on this machine; {nearest.title} comes nearest, "
            f"{formats.factor(nearest.slowest)} at its slowest.",
        )  # fmt: skip
    by_title = {point.title: point for point in stood.points}
    judged = [by_title[runner.title] for runner in able if runner.title in by_title]
    if not judged:
        first = able[0]
        return Finding(
            "Mixed use", first.title,
            "is the fastest of those that keep up with every video; how good its captions are "
            "was not compared.",
        )  # fmt: skip
    best = max(judged, key=lambda point: point.value)
    level = [p for p in judged if p is best or not _apart(best, p).low > 0]
    chosen = min(level, key=lambda point: point.rtf)
    why = "describes best of those that do"
    if len(level) > 1:
        why = "was the fastest of those whose captions cannot be told apart"
    elif len(judged) == 1:
        why = "is the only one of those that do whose captions could be compared"
    return Finding(
        "Mixed use",
        chosen.title,
        f"keeps up with every video ({formats.factor(chosen.rtf)} over all) and {why}.",
    )


def _handicapped(runner: Runner) -> bool:
    """Whether its time is another's: of a server, or of weights that did not fit."""
    return any({SERVER, OFFLOADED} & pair.badges for pair in runner.pairs)


def _notes(suite: SuiteData) -> list[Finding]:
    told = {badge for pair in pairs(suite) for badge in pair.badges}
    if not {NANO, OUTSIDE} & told:
        return []
    return [
        Finding(
            "Note", "",
            "These are nano models, which know only a synthetic world: nothing here is about "
            "models of real size.",
        )
    ]  # fmt: skip
