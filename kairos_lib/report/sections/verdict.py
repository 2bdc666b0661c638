"""The verdict: which model for what, in sentences made from the data, and what is too close.

Knows nothing of pages. Every sentence states its basis; if the data do not decide, it says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from kairos_lib import formats
from kairos_lib.report.page.html import Html, render
from kairos_lib.report.sections.mixed_use import mixed_use
from kairos_lib.results import caveats
from kairos_lib.results.badges import NANO, OUTSIDE, of_run
from kairos_lib.results.contenders import Contenders, contenders
from kairos_lib.results.ranked_models import KEEPS_UP, Lead, Runner, fastest, smallest
from kairos_lib.results.speed_and_quality import SpeedAndQuality, apart, speed_and_quality
from kairos_lib.results.step_runs import VlmRun
from kairos_lib.results.suite import SuiteData
from kairos_lib.results.summary import pairs
from kairos_lib.statistics import bootstrap, decision
from kairos_lib.statistics.bootstrap import Interval
from kairos_lib.statistics.decision import LEAST_ROUNDS, Ratio

LISTED = 3
"""Maximum number of left-out rounds listed on the first screen; tables have all."""


@dataclass(frozen=True)
class Finding:
    """The answer to one question."""

    question: str
    model: str
    """Title of the model that the answer names; empty where none is."""
    answer: str
    """Text after the model's name, or the whole answer."""


def verdict(suite: SuiteData) -> Html | None:
    """The findings as a piece of the page; None if nothing was measured."""
    found = findings(suite)
    return render("verdict", findings=found) if found else None


def findings(suite: SuiteData) -> list[Finding]:
    """Which model for speed, for quality, for little memory and for mixed use.

    A model is named only if the data show it.
    """
    field = contenders(suite)
    runners = [Runner.of(of_model, suite) for of_model in field.ranked]
    stood = speed_and_quality(suite)
    found = []
    if runners:
        mixed = Finding("Mixed use", *mixed_use(runners, stood))
        found += [_speed(runners), _quality(stood), _memory(runners), mixed]
    found += _left_out(field)
    return [*found, *_mind(suite, field, runners)] if found else []


def _speed(runners: Sequence[Runner]) -> Finding:
    lead = fastest(runners)
    first = lead.first
    own = f"{formats.factor(first.rtf)} of real time"
    if not lead.against:
        return Finding("Speed", first.title, f"takes {own}: {_pace(first)}.")
    other, ratio = lead.against[0]
    if not lead.open:
        assert ratio is not None
        return Finding(
            "Speed", first.title,
            f"is the fastest: {own}, {ratio.value:.2f} times as fast as {other.title} "
            f"({_extent(ratio)}).",
        )  # fmt: skip
    other, ratio = lead.open[0]
    values = f"{formats.factor(first.rtf)} against {formats.factor(other.rtf)} of {other.title}"
    return Finding("Speed", "", _undecided(lead, values))


def _pace(runner: Runner) -> str:
    if runner.keeps_up:
        return "it keeps up with every video"
    if runner.rtf <= KEEPS_UP:
        return "it keeps up with all videos together, but not with each"
    return "it is slower than the videos"


def _undecided(lead: Lead, values: str) -> str:
    """Why no model is named: about the first that is not shown to take more."""
    other, ratio = lead.open[0]
    shown = lead.shown(ratio)
    if ratio is None or shown == "too few rounds":
        return (
            f"{lead.first.title} was ahead: {values}. With fewer than {LEAST_ROUNDS} rounds "
            "that both have, that can be chance; REPEATS=5 would tell."
        )
    if shown == "no difference worth naming":
        return f"No difference worth naming: {lead.first.title} {values} ({_extent(ratio)})."
    if shown == "lower":
        return (
            f"It depends on the video: {lead.first.title} was ahead over all, {values}; in the "
            f"mean of the videos {other.title} is, by {1 / ratio.value:.2f} ({_extent(ratio)})."
        )
    names = ", ".join(one.title for one, r in lead.open if lead.shown(r) == shown)
    return (
        f"Too close to call between {lead.first.title} and {names}: {values}, a ratio of "
        f"{ratio.value:.2f} ({_extent(ratio)})."
    )


def _quality(stood: SpeedAndQuality) -> Finding:
    if stood.yardstick is None:
        return Finding("Quality", "", f"Not compared: {stood.why_not}.")
    first, *others = sorted(stood.points, key=lambda point: -point.value)
    name = stood.yardstick.name.lower()
    scenes = formats.count(first.quality.n, "scene")
    over = f"{scenes} of {formats.count(len(stood.videos), 'video')}"
    against = [(other, apart(first, other)) for other in others]
    close = [other for other, extent in against if not extent.low > 0]
    low = "" if stood.yardstick.referenced else " That says little of how true they are."
    if close:
        names = " and ".join([first.title, close[0].title])
        values = f"{first.value:.1%} and {close[0].value:.1%}"
        if first.value == close[0].value:
            return Finding("Quality", "", f"{names} are equal: {values}, {name}, {over}.{low}")
        between = apart(first, close[0])
        margin = f"; the difference is {_points(between)}" if between.known else ""
        return Finding(
            "Quality", "",
            f"Too close to call between {names}: {values}, {name}, {over}{margin}.{low}",
        )  # fmt: skip
    other, between = against[0]
    return Finding(
        "Quality",
        first.title,
        f"describes best: {first.value:.1%} against {other.value:.1%} of {other.title}, {name} "
        f"(a difference of {_points(between)}; {over}).{low}",
    )


def _extent(ratio: Ratio) -> str:
    """How certain a ratio is: its interval, and the number of rounds."""
    ends = ratio.interval
    interval = f"{ends.low:.2f} to {ends.high:.2f}"
    return f"{decision.LEVEL:.0%} interval {interval}, {formats.count(ratio.rounds, 'round')}"


def _points(found: Interval) -> str:
    """A difference of shares, in percentage points."""
    if not found.known:
        return "unknown extent"
    return (
        f"{found.low * 100:.1f} to {found.high * 100:.1f} points ({bootstrap.LEVEL:.0%} interval)"
    )


def _memory(runners: Sequence[Runner]) -> Finding:
    known = [runner for runner in runners if runner.memory_kind is not None]
    others = ", ".join(runner.title for runner in runners if runner not in known)
    without = f" Not known of {others}." if others else ""
    kinds = {runner.memory_kind for runner in known}
    if not known:
        return Finding("Memory", "", "Not measured.")
    if len(kinds) > 1:
        return Finding(
            "Memory", "", f"Not compared: some models were on a GPU and others not.{without}"
        )
    lead = smallest(known)
    first = lead.first
    where = "of GPU memory" if kinds == {"VRAM"} else "of RAM"
    own = f"{formats.memory(first.memory_mib)} {where}"
    if not lead.against:
        return Finding("Memory", first.title, f"needs {own} at its peak.{without}")
    if not lead.open:
        other, ratio = lead.against[0]
        assert ratio is not None
        return Finding(
            "Memory", first.title,
            f"needs least: {own} at its peak, {other.title} {formats.memory(other.memory_mib)}, "
            f"{ratio.value:.2f} times as much ({_extent(ratio)}).{without}",
        )  # fmt: skip
    other, _ = lead.open[0]
    values = f"{own} against {formats.memory(other.memory_mib)} of {other.title}"
    return Finding("Memory", "", _undecided(lead, values) + without)


def _left_out(field: Contenders) -> list[Finding]:
    """What is not counted, and why."""
    found = []
    if field.absent:
        reasons = "; ".join(f"{pair.model_title} {why}" for pair, why in field.absent)
        found.append(Finding("Not ranked", "", f"{reasons}."))
    if field.undone:
        videos = ", ".join(field.undone)
        found.append(Finding("Not counted", "", f"{videos}: no model has a run that counts."))
    rounds = [
        f"{pair.model_title} {why}, on {pair.title} in round {run.planned.repeat}"
        for of_model in field.ranked
        for pair in of_model
        for run, why in pair.fitness.left_out
    ]
    if rounds:
        more = f"; {len(rounds) - LISTED:,} more" if len(rounds) > LISTED else ""
        found.append(Finding("Left out", "", f"{'; '.join(rounds[:LISTED])}{more}."))
    return found


def _mind(suite: SuiteData, field: Contenders, runners: Sequence[Runner]) -> list[Finding]:
    """Caveats, in the words of `kairos compare`."""
    counted = {
        runner.title: [run for pair in runner.pairs for run in pair.fitness.runs]
        for runner in runners
    }
    worn = {name: [of_run(run, suite) for run in runs] for name, runs in counted.items()}
    lines = [
        *caveats.boots(run for runs in counted.values() for run in runs),
        *caveats.doubts(worn, _rounds(field)),
    ]
    if any({NANO, OUTSIDE} & pair.badges for pair in pairs(suite)):
        lines.append(
            "these are nano models, which know only a synthetic world: nothing here is about "
            "models of real size"
        )
    text = " ".join(f"{line[:1].upper()}{line[1:]}." for line in lines)
    return [Finding("Mind", "", text)] if text else []


def _rounds(field: Contenders) -> dict[str, list[list[VlmRun]]]:
    """For each ranked video, the runs of each round that counts."""
    found: dict[str, dict[int, list[VlmRun]]] = {}
    for of_model in field.ranked:
        for pair in of_model:
            for run in pair.fitness.runs:
                rounds = found.setdefault(pair.title, {})
                rounds.setdefault(run.planned.repeat, []).append(run)
    return {title: list(rounds.values()) for title, rounds in found.items()}
