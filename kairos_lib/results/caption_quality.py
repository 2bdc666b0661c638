"""How good a suite's captions are, as data: of each model over each video, and of each model."""

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
"""Why captions are not judged: no run is done or its file is spoilt, random weights, or a nano
model outside its world."""


@dataclass(frozen=True)
class PairQuality:
    """The captions of one model over one video: those of the first repeat that is done."""

    pair: Pair
    void: Void
    judged: Judged
    """Empty where `void` says why; then no number may be shown."""
    has_references: bool = False
    """Whether there is something to hold the video's captions against."""


@dataclass(frozen=True)
class ModelQuality:
    """All that one model wrote."""

    model: str
    title: str
    pairs: tuple[PairQuality, ...]

    @property
    def void(self) -> Void:
        """Why none of its captions are judged; empty where some are."""
        reasons = [pair.void for pair in self.pairs]
        return "" if "" in reasons else reasons[0]

    def over_all(self, number: Callable[[Judged], Sample]) -> Sample:
        """A number over all its videos together."""
        return pooled(number(pair.judged) for pair in self.pairs)


@dataclass(frozen=True)
class Quality:
    """A suite's captions, judged."""

    pairs: tuple[PairQuality, ...]
    """In the order of the plan."""

    @property
    def models(self) -> list[ModelQuality]:
        """The same by model."""
        by_model: dict[str, list[PairQuality]] = {}
        for pair in self.pairs:
            by_model.setdefault(pair.pair.model, []).append(pair)
        return [
            ModelQuality(model, found[0].pair.model_title, tuple(found))
            for model, found in by_model.items()
        ]


_known: dict[int, Quality] = {}


def quality_of(suite: SuiteData) -> Quality:
    """Judge a suite's captions, once for each suite that was read.

    Captions are streamed from the run folders, and the texts of one video alone are in memory at
    a time.

    Raises:
        KairosError: The copy of a video's references was changed by hand.
    """
    # A suite holds mappings and so cannot be hashed; it goes by its identity for as long as it
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
    found = [one for video, told in by_video.items() for one in _of_video(suite, video, told)]
    places = {(pair.model, pair.video): place for place, pair in enumerate(pairs(suite))}
    found.sort(key=lambda one: places[one.pair.model, one.pair.video])
    return Quality(tuple(found))


def _of_video(suite: SuiteData, video: str, told: list[Pair]) -> list[PairQuality]:
    base = suite.base(video)
    references = kept(suite.project, base.planned.references) if base else None
    voids = {pair.model: _void(pair) for pair in told}
    scenes: dict[int, Scene] = {}
    said: dict[str, list[SceneCaption]] = {}
    detected: set[str] = set()
    for pair in told:
        if voids[pair.model]:
            continue
        try:
            said[pair.model] = _read(pair.shown, scenes)
        except KairosError:
            voids[pair.model] = "not measured"
    for captions in said.values():
        detected.update(label for one in captions for label in one.detected)
    vocabulary = Vocabulary.of_detections(detected) if _objects_told(suite, video) else None
    spans = matched(scenes.values(), references.spans) if references else None
    variant_of = {pair.model: pair.runs[0].planned.variant_of for pair in told}

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
        for pair in told
    ]


def _void(pair: Pair) -> Void:
    result = pair.shown.result
    if result is None:
        # What a run that failed has written is shown with its scenes; whether its weights were
        # real is known only of one that is done.
        return "not measured"
    badges = of_captions(result)
    return "noise" if DUMMY in badges else "means nothing" if OUTSIDE in badges else ""


def _objects_told(suite: SuiteData, video: str) -> bool:
    """Whether a detector that knows such videos has looked at this one."""
    base = suite.base(video)
    if base is None or OUTSIDE_BASE in of_base(base, suite):
        return False
    return any(stage.name == "objects" and stage.state == "done" for stage in base.stages)


def _read(run: VlmRun, scenes: dict[int, Scene]) -> list[SceneCaption]:
    """The captions of a run; the scenes that they are of are noted."""
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
