"""How the models of a suite compare in speed and quality, as data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from kairos_lib.formats import of_hundred
from kairos_lib.quality.judgement import Judged
from kairos_lib.quality.pareto import beaten_by
from kairos_lib.quality.sample import Sample, pooled
from kairos_lib.results.badges import DUMMY, OUTSIDE, Badge
from kairos_lib.results.caption_quality import ModelQuality, PairQuality, quality_of
from kairos_lib.results.comparability import NOT_RECOMMENDED
from kairos_lib.results.contenders import contenders
from kairos_lib.results.suite import SuiteData
from kairos_lib.statistics.bootstrap import Interval, interval


@dataclass(frozen=True)
class Yardstick:
    """One way to score captions."""

    name: str
    """As shown on the axis and above the table."""
    explanation: str
    of: Callable[[Judged], Sample]
    referenced: bool = True
    """Whether it compares with known truth; if not, it says little about truth."""
    written: Callable[[float], str] = "{:.1%}".format
    """Formats its values (0 to 1) as they are read: a share, or a score from 0 to 100."""
    nano_only: bool = False
    """Whether it reads only sentences written by nano models."""


YARDSTICKS = (
    Yardstick(
        "Attributes right",
        "share of what is true of the nano world's scenes that captions say",
        lambda judged: judged.attributes,
        nano_only=True,
    ),
    Yardstick(
        "ROUGE-L against references",
        "words in common with the reference captions and in their order, F1, mean of scenes; "
        "0 to 100",
        lambda judged: judged.rouge_l,
        written=of_hundred,
    ),
    Yardstick(
        "Objects as detected",
        "how well the objects that captions name match those that the detector found, F1, 0 to "
        "100; "
        "no video that all models share has references, so this says little of how true captions "
        "are",
        lambda judged: judged.objects,
        referenced=False,
        written=of_hundred,
    ),
)
"""The best first."""


@dataclass(frozen=True)
class Point:
    """Speed and quality of one model."""

    model: str
    title: str
    rtf: float
    """Sum of median VLM times divided by sum of lengths, over the videos that all models share."""
    quality: Sample
    """From 0 to 1, over the scenes that all models share."""
    badges: frozenset[Badge]
    beaten_by: tuple[str, ...] = ()
    """Titles of models on the front that are no slower and no worse; empty for one on it."""

    @property
    def on_front(self) -> bool:
        """Whether no other model beats it in both speed and quality."""
        return not self.beaten_by

    @property
    def value(self) -> float:
        """The quality as a single number."""
        return self.quality.value or 0.0


VOID = {
    "not measured": "has captions that cannot be read",
    "noise": NOT_RECOMMENDED[DUMMY],
    "means nothing": NOT_RECOMMENDED[OUTSIDE],
}
"""Why a model whose time can be ranked cannot be scored."""


@dataclass(frozen=True)
class SpeedAndQuality:
    """How the models of a suite compare."""

    yardstick: Yardstick | None = None
    videos: tuple[str, ...] = ()
    """Titles of the videos that all models shown share."""
    points: tuple[Point, ...] = ()
    """Fastest first."""
    absent: tuple[tuple[str, str], ...] = ()
    """Models that cannot be compared, by title, each with text that completes a sentence about
    it."""
    why_not: str = ""
    """Why nothing can be compared, if there are no points."""


def speed_and_quality(suite: SuiteData) -> SpeedAndQuality:
    """Compare the models of a suite on what all of them did, by the best yardstick they share.

    A ranked model takes part, with the videos on which its captions mean something.
    """
    models = quality_of(suite).models
    field = contenders(suite)
    reasons = {pair.model: why for pair, why in field.absent}
    ranked = {(pair.model, pair.video) for of_model in field.ranked for pair in of_model}
    fit: dict[str, list[PairQuality]] = {}
    for one in models:
        here = [pair for pair in one.pairs if (pair.pair.model, pair.pair.video) in ranked]
        fit[one.model] = [pair for pair in here if not pair.void]
        if here and not fit[one.model]:
            reasons[one.model] = VOID[here[0].void]
    absent = tuple((one.title, reasons[one.model]) for one in models if one.model in reasons)
    known = [one for one in models if fit[one.model]]
    if len(known) < 2:
        listed = "; ".join(f"{title} {why}" for title, why in absent)
        why_not = "fewer than two models have captions and a time that can be compared"
        return SpeedAndQuality(
            absent=absent, why_not=f"{why_not} ({listed})" if listed else why_not
        )
    for yardstick in YARDSTICKS:
        points = _points(known, fit, yardstick)
        if points:
            titles = [pair.pair.title for pair in fit[known[0].model]
                      if pair.pair.video in points[0].quality.videos]  # fmt: skip
            return SpeedAndQuality(yardstick, tuple(titles), tuple(points), absent)
    return SpeedAndQuality(
        absent=absent,
        why_not="the models share no video with reference captions or detected objects",
    )


def apart(one: Point, other: Point) -> Interval:
    """Bootstrap interval of the difference in quality; above 0 if `one` is shown to be better."""
    ours = dict(zip(one.quality.keys, one.quality.rows, strict=True))
    theirs = dict(zip(other.quality.keys, other.quality.rows, strict=True))
    keys = [key for key in ours if key in theirs]
    rows = [(*ours[key], *theirs[key]) for key in keys]
    return interval(rows, [video for video, _ in keys], statistic=_difference)


def _difference(rows: Any) -> float:
    part, whole, other_part, other_whole = rows.sum(axis=0)
    return float(part / whole - other_part / other_whole)


def _points(
    models: list[ModelQuality], fit: dict[str, list[PairQuality]], yardstick: Yardstick
) -> list[Point]:
    """A point for each model; empty if they share nothing that the yardstick can score."""
    sources = {pair.pair.results[0].weights_source for one in models for pair in fit[one.model]}
    if yardstick.nano_only and sources != {"nano"}:
        return []
    samples = {
        one.model: pooled(yardstick.of(pair.judged) for pair in fit[one.model]) for one in models
    }
    common = set.intersection(*(set(sample.keys) for sample in samples.values()))
    videos = {video for video, _ in common}
    if not common:
        return []
    points = []
    for one in models:
        timed = [pair.pair for pair in fit[one.model] if pair.pair.video in videos]
        time_s = sum(pair.vlm_time_s.value for pair in timed if pair.vlm_time_s)
        points.append(
            Point(
                model=one.model,
                title=one.title,
                rtf=time_s / sum(pair.length_s or 0.0 for pair in timed),
                quality=samples[one.model].within(common),
                badges=frozenset(badge for pair in timed for badge in pair.badges),
            )
        )
    return _ranked(points)


def _ranked(points: list[Point]) -> list[Point]:
    rivals = beaten_by([(point.rtf, point.value) for point in points])
    marked = [
        replace(point, beaten_by=tuple(points[rival].title for rival in beaten))
        for point, beaten in zip(points, rivals, strict=True)
    ]
    return sorted(marked, key=lambda point: (point.rtf, -point.value))
