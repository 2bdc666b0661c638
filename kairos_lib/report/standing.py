"""How the models of a suite stand to one another in speed and quality, as data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from kairos_lib.quality.judged import Judged
from kairos_lib.quality.pareto import beaten_by
from kairos_lib.quality.sample import Sample, pooled
from kairos_lib.report.caption_quality import ModelQuality, PairQuality, quality_of
from kairos_lib.report.formats import of_hundred
from kairos_lib.results.badges import OTHER_MACHINE, Badge
from kairos_lib.results.suite import SuiteData


@dataclass(frozen=True)
class Yardstick:
    """One way to say how good captions are."""

    name: str
    """As it stands at the axis and over the table."""
    explanation: str
    of: Callable[[Judged], Sample]
    referenced: bool = True
    """Whether it is held against what is known to be true; if not, it says little of truth."""
    written: Callable[[float], str] = "{:.1%}".format
    """Its values, from 0 to 1, as they are read: a share, or a score from 0 to 100."""
    nano_only: bool = False
    """Whether it reads only the sentences that nano models write."""


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
        "how far the objects that captions name are those that the detector found, F1, 0 to 100; "
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
    """One model: how fast, and how good."""

    model: str
    title: str
    rtf: float
    """Median VLM times by lengths, summed over the videos that all models have in common."""
    quality: Sample
    """From 0 to 1, over the scenes that all models have in common."""
    badges: frozenset[Badge]
    beaten_by: tuple[str, ...] = ()
    """Titles of models on the front that are no slower and no worse; none for one on it."""

    @property
    def on_front(self) -> bool:
        """Whether no other model beats it in both."""
        return not self.beaten_by

    @property
    def value(self) -> float:
        """The quality as a number."""
        return self.quality.value or 0.0


@dataclass(frozen=True)
class Standing:
    """How the models of a suite stand to one another."""

    yardstick: Yardstick | None = None
    videos: tuple[str, ...] = ()
    """Titles of those that all models shown have in common."""
    points: tuple[Point, ...] = ()
    """The fastest first."""
    absent: tuple[tuple[str, str], ...] = ()
    """Models that cannot be compared, by title, each with the reason."""
    why_not: str = ""
    """Why nothing can be compared, where there are no points."""


def standing(suite: SuiteData) -> Standing:
    """Compare the models of a suite on what all of them did, by the best yardstick they share.

    A model takes part with the videos where its captions mean something and its time was measured
    in one sitting on the machine of the others.
    """
    models = quality_of(suite).models
    fit = {one.model: [pair for pair in one.pairs if not _unfit(pair)] for one in models}
    absent = tuple((one.title, _unfit(one.pairs[0])) for one in models if not fit[one.model])
    known = [one for one in models if fit[one.model]]
    if len(known) < 2:
        told = "; ".join(f"{title}: {why}" for title, why in absent)
        why_not = "fewer than two models have captions and a time that can be compared"
        return Standing(absent=absent, why_not=f"{why_not} ({told})" if told else why_not)
    for yardstick in YARDSTICKS:
        points = _points(known, fit, yardstick)
        if points:
            titles = [pair.pair.title for pair in fit[known[0].model]
                      if pair.pair.video in points[0].quality.videos]  # fmt: skip
            return Standing(yardstick, tuple(titles), tuple(points), absent)
    return Standing(
        absent=absent,
        why_not="the models share no video with reference captions or detected objects",
    )


def _unfit(one: PairQuality) -> str:
    """Why a pair cannot be compared; empty where it can."""
    if one.void:
        return {
            "not measured": "no result", "noise": "its captions are noise",
            "means nothing": "its captions mean nothing",
        }[one.void]  # fmt: skip
    if OTHER_MACHINE in one.pair.badges:
        return "timed on another machine"
    time_s = one.pair.vlm_time_s
    if time_s is None or time_s.n == 0 or not one.pair.length_s:
        return "resumed, so that its time is no statistic"
    return ""


def _points(
    models: list[ModelQuality], fit: dict[str, list[PairQuality]], yardstick: Yardstick
) -> list[Point]:
    """A point for each model; none where they have nothing in common to hold to the yardstick."""
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
    told = [
        replace(point, beaten_by=tuple(points[rival].title for rival in beaten))
        for point, beaten in zip(points, rivals, strict=True)
    ]
    return sorted(told, key=lambda point: (point.rtf, -point.value))
