"""Caption quality of a suite as data: for each model on each video, and for each model."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from kairos_lib.errors import KairosError
from kairos_lib.media.scene import Scene
from kairos_lib.nano.judge import register_nano
from kairos_lib.quality.judgement import Judged, SceneCaption, agreements, judge
from kairos_lib.quality.objects import Vocabulary
from kairos_lib.quality.reference_captions import kept, matched
from kairos_lib.quality.sample import Sample, pooled
from kairos_lib.results.badges import DUMMY, OUTSIDE, OUTSIDE_BASE, of_base, of_captions
from kairos_lib.results.step_runs import VlmRun
from kairos_lib.results.suite import SuiteData
from kairos_lib.results.summary import Pair, pairs
from kairos_lib.runs.journal import Journal
from kairos_lib.vlm.records import FusedScene

register_nano()

Void = Literal["", "not measured", "noise", "means nothing"]
"""Why captions are not judged: no run is done or its file is damaged, random weights, or a nano
model outside its world."""


@dataclass(frozen=True)
class PairQuality:
    """The captions of one model on one video, from the first repeat that is done."""

    pair: Pair
    void: Void
    judged: Judged
    """Empty where `void` gives a reason; then no number may be shown."""
    has_references: bool = False
    """Whether the video has anything to compare captions with."""


@dataclass(frozen=True)
class ModelQuality:
    """All captions of one model."""

    model: str
    title: str
    pairs: tuple[PairQuality, ...]

    @property
    def void(self) -> Void:
        """Why none of its captions is judged; empty where some are."""
        reasons = [pair.void for pair in self.pairs]
        return "" if "" in reasons else reasons[0]

    def over_all(self, number: Callable[[Judged], Sample]) -> Sample:
        """A number over all its videos combined."""
        return pooled(number(pair.judged) for pair in self.pairs)


@dataclass(frozen=True)
class Quality:
    """The judged captions of a suite."""

    pairs: tuple[PairQuality, ...]
    """In the order of the plan."""

    @property
    def models(self) -> list[ModelQuality]:
        """The same, grouped by model."""
        by_model: dict[str, list[PairQuality]] = {}
        for pair in self.pairs:
            by_model.setdefault(pair.pair.model, []).append(pair)
        return [
            ModelQuality(model, found[0].pair.model_title, tuple(found))
            for model, found in by_model.items()
        ]


_known: dict[int, Quality] = {}


def quality_of(suite: SuiteData) -> Quality:
    """Judge a suite's captions; cached for each suite that was read.

    Captions are streamed from the run folders: only the texts of one video are in memory at a
    time.

    Raises:
        KairosError: The copy of a video's references was changed by hand.
    """
    # A suite holds mappings and cannot be hashed, so it is keyed by its identity for as long as it
    # lives.
    name = id(suite)
    if name not in _known:
        _known[name] = _judge(suite)
        weakref.finalize(suite, _known.pop, name, None)
    return _known[name]


def _judge(suite: SuiteData) -> Quality:
    by_video: dict[str, list[Pair]] = {}
    for pair in pairs(suite):
        by_video.setdefault(pair.video, []).append(pair)
    found = [
        one for video, in_video in by_video.items() for one in _of_video(suite, video, in_video)
    ]
    places = {(pair.model, pair.video): place for place, pair in enumerate(pairs(suite))}
    found.sort(key=lambda one: places[one.pair.model, one.pair.video])
    return Quality(tuple(found))


def _of_video(suite: SuiteData, video: str, in_video: list[Pair]) -> list[PairQuality]:
    base = suite.base(video)
    references = kept(suite.project, base.planned.references) if base else None
    voids = {pair.model: _void(pair) for pair in in_video}
    scenes: dict[int, Scene] = {}
    said: dict[str, list[SceneCaption]] = {}
    detected: set[str] = set()
    for pair in in_video:
        if voids[pair.model]:
            continue
        try:
            said[pair.model] = _read(pair.shown, scenes)
        except KairosError:
            voids[pair.model] = "not measured"
    for captions in said.values():
        detected.update(label for one in captions for label in one.detected)
    vocabulary = Vocabulary.of_detections(detected) if _detector_applies(suite, video) else None
    spans = matched(scenes.values(), references.spans) if references else None
    variant_of = {pair.model: pair.runs[0].planned.variant_of for pair in in_video}

    def related(one: str, other: str) -> bool:
        return bool(variant_of[one]) and variant_of[one] == variant_of[other]

    alike = agreements(said, related)
    return [
        PairQuality(
            pair=pair,
            void=voids[pair.model],
            judged=judge(video, said[pair.model], vocabulary, spans, alike[pair.model])
            if pair.model in said
            else Judged(),
            has_references=references is not None,
        )
        for pair in in_video
    ]


def _void(pair: Pair) -> Void:
    result = pair.shown.result
    if result is None:
        # Captions of a failed run are shown with its scenes; whether its weights were real is known
        # only for a run that is done.
        return "not measured"
    badges = of_captions(result)
    return "noise" if DUMMY in badges else "means nothing" if OUTSIDE in badges else ""


def _detector_applies(suite: SuiteData, video: str) -> bool:
    """Whether a detector that is valid for this video has processed it."""
    base = suite.base(video)
    if base is None or OUTSIDE_BASE in of_base(base, suite):
        return False
    return any(stage.name == "objects" and stage.state == "done" for stage in base.stages)


def _read(run: VlmRun, scenes: dict[int, Scene]) -> list[SceneCaption]:
    """The captions of a run; adds their scenes to `scenes`."""
    said = []
    labels: dict[frozenset[str], frozenset[str]] = {}
    for fused in Journal(run.folder / "fused.jsonl", FusedScene):
        scenes.setdefault(fused.scene.index, fused.scene)
        if fused.caption.error:
            continue
        seen = frozenset(detection.label for detection in fused.objects)
        said.append(
            SceneCaption(
                scene=fused.scene.index,
                text=fused.caption.text,
                truncated=fused.caption.truncated,
                detected=labels.setdefault(seen, seen),
            )
        )
    return said
