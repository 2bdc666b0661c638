"""Differences between a run and its reproduction."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kairos_lib.errors import KairosError
from kairos_lib.measure.usage import Resources
from kairos_lib.runs.files import read_record
from kairos_lib.runs.journal import Journal
from kairos_lib.runs.key_difference import Change, changes
from kairos_lib.statistics.bootstrap import Interval, interval
from kairos_lib.vlm.records import Caption, ScenarioResult, VlmResult

COUNTS = ("scenes", "failed", "prompt_tokens", "visual_tokens", "new_tokens", "truncated")


@dataclass(frozen=True)
class Captions:
    """Captions of one scenario."""

    scenario: str
    scenes: int
    otherwise: tuple[int, ...]
    """Scenes whose text differs, or that only one of the two runs has."""


@dataclass(frozen=True)
class Time:
    """How long something took, then and now."""

    title: str
    before_s: float
    after_s: float
    ratio: float
    """New time divided by old time."""
    interval: Interval | None
    """Over the scenes; None for a single number."""
    n: int
    """Scenes, or 1."""


@dataclass(frozen=True)
class Outcome:
    """A reproduced run, compared with the original."""

    captions: tuple[Captions, ...]
    counts: tuple[Change, ...]
    """Counts that differ."""
    times: tuple[Time, ...]
    memory_mib: tuple[float, float]
    """Peak of the GPU's memory, or of the kernel's without a GPU: old and new."""

    @property
    def same(self) -> bool:
        """Whether all captions and counts are the same; times never are."""
        return not self.counts and not any(each.otherwise for each in self.captions)


def outcome(before: Path, after: Path) -> Outcome:
    """Compare a reproduced run with the original.

    Args:
        before: Folder of the original run.
        after: Folder of the new one.

    Raises:
        KairosError: One has no result.
    """
    then, now = (read_record(folder / "result.json", VlmResult) for folder in (before, after))
    if then is None or now is None:
        raise KairosError(f"{before if then is None else after} has no result")
    files = {"offline": "captions.jsonl", "single-stream": "single_stream.jsonl"}
    both = {
        scenario: (_captions(before / name), _captions(after / name))
        for scenario, name in files.items()
    }
    return Outcome(
        captions=tuple(_otherwise(scenario, *each) for scenario, each in both.items()),
        counts=tuple(changes(_counts(then), _counts(now))),
        times=tuple(
            time
            for time in (
                _alone(*both["single-stream"]),
                _whole("VLM time", then.offline, now.offline),
            )
            if time is not None
        ),
        memory_mib=(_peak_mib(then.resources), _peak_mib(now.resources)),
    )


def _captions(path: Path) -> dict[int, Caption]:
    return {caption.scene: caption for caption in Journal(path, Caption)}


def _otherwise(
    scenario: str, before: Mapping[int, Caption], after: Mapping[int, Caption]
) -> Captions:
    texts = [{n: (one.text, one.error) for n, one in side.items()} for side in (before, after)]
    scenes = sorted({*before, *after})
    wrong = tuple(n for n in scenes if texts[0].get(n) != texts[1].get(n))
    return Captions(scenario, len(scenes), wrong)


def _counts(result: VlmResult) -> dict[str, dict[str, int]]:
    return {
        scenario.scenario: {name: getattr(scenario, name) for name in COUNTS}
        for scenario in (result.offline, result.single_stream)
    }


def _alone(before: Mapping[int, Caption], after: Mapping[int, Caption]) -> Time | None:
    """Seconds per scene on its own, over the scenes that both runs captioned."""
    pairs = [
        (before[n].timing.total_s, after[n].timing.total_s)
        for n in sorted({*before} & {*after})
        if not (before[n].error or after[n].error)
    ]
    if not pairs or min(min(pair) for pair in pairs) <= 0:
        return None
    seconds = np.array(pairs)
    logs = np.log(seconds[:, 1] / seconds[:, 0])
    ends = interval(logs)
    then_s, now_s = seconds.mean(axis=0)
    return Time(
        title="single-stream, a scene",
        before_s=float(then_s),
        after_s=float(now_s),
        ratio=math.exp(float(logs.mean())),
        interval=Interval(math.exp(ends.low), math.exp(ends.high)) if ends.known else None,
        n=len(pairs),
    )


def _whole(title: str, before: ScenarioResult, after: ScenarioResult) -> Time | None:
    """A scenario's wall time; None if a run was resumed."""
    if before.parts > 1 or after.parts > 1 or not before.time_s:
        return None
    ratio = after.time_s / before.time_s
    return Time(title, before.time_s, after.time_s, ratio, interval=None, n=1)


def _peak_mib(resources: Resources) -> float:
    return resources.peak_vram_mib or resources.peak_ram_mib
