"""Base processing and caption quality as tidy tables; `summary` has the runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kairos_lib.nano.captions import ATTRIBUTES
from kairos_lib.pipeline.records import StageReport
from kairos_lib.quality.judgement import Judged
from kairos_lib.quality.sample import Sample, ends
from kairos_lib.results.badges import of_base, ordered
from kairos_lib.results.caption_quality import PairQuality, quality_of
from kairos_lib.results.step_runs import FRAMES, BaseRun, frames_s
from kairos_lib.results.suite import SuiteData
from kairos_lib.results.summary import RESOURCE_FIELDS, typed

if TYPE_CHECKING:
    import pandas as pd

STAGE_FIELDS = ("load_s", "began_s", "ended_s", "records", "batch_size", "weights_source",
                "weights", "key")  # fmt: skip
STAGE_TYPES = {
    "string": (
        "suite", "video", "title", "stage", "state", "reason", "remedy", "weights_source",
        "weights", "key", "base_state", "base_reason", "base_message", "base_key", "profile",
        "badges", "folder",
    ),
    "Int64": ("scenes", "records", "batch_size", "foreign_gpu_processes"),
    "boolean": ("taken_over", "resumed", "synthetic_video"),
    "float64": (
        "length_s", "time_s", "load_s", "began_s", "ended_s", "total_s",
        *(name for name in RESOURCE_FIELDS if name != "foreign_gpu_processes"),
    ),
}  # fmt: skip
SAMPLES = {
    "attributes_right": "attributes", "rouge_l": "rouge_l", "objects_named": "named",
    "named_not_detected": "unseen", "objects_f1": "objects", "agreement": "agreement",
    "words": "words", "repeated": "repeated", "said_twice": "same", "in_language": "in_language",
    "refusals": "refusals", "cut_off": "cut_off", "empty": "empty",
}  # fmt: skip
"""Columns, and the number of `Judged` in each; `_low`, `_high` and `_scenes` are added to each."""
OF_ATTRIBUTES = {name: f"{name}_right" for name in ATTRIBUTES}
QUALITY_TYPES = {
    "string": (
        "suite", "model", "model_title", "video", "title", "not_judged", "language",
        "bleu_signature", "chrf_signature", "badges", "folder",
    ),
    "Int64": (
        "repeat", "captions", "without_reference", *(f"{name}_scenes" for name in SAMPLES)
    ),
    "boolean": ("has_references",),
    "float64": (
        "bleu", "chrf", "distinct_2", *OF_ATTRIBUTES.values(),
        *(f"{name}{end}" for name in SAMPLES for end in ("", "_low", "_high")),
    ),
}  # fmt: skip


def stages(suite: SuiteData) -> pd.DataFrame:
    """One row for each video and stage; base processing without stages has a row saying why."""
    rows = []
    for base in suite.bases:
        decode_s = frames_s(base)
        found = [stage for stage in base.stages if stage.name != FRAMES]
        if decode_s is not None:
            found.insert(0, StageReport(name=FRAMES, state="done", time_s=decode_s))
        rows += [_stage(suite, base, stage) for stage in found] or [_stage(suite, base, None)]
    return typed(rows, STAGE_TYPES)


def _stage(suite: SuiteData, base: BaseRun, stage: StageReport | None) -> dict[str, Any]:
    result = base.result
    used = stage.resources if stage else None
    return {
        "suite": suite.manifest.name,
        "video": base.planned.video,
        "title": base.planned.title,
        "length_s": result.facts.duration_s if result else None,
        "scenes": result.scenes if result else None,
        "stage": stage.name if stage else None,
        "state": stage.state if stage else None,
        "reason": stage.reason if stage else None,
        "remedy": stage.remedy if stage else None,
        "taken_over": stage.reused if stage else None,
        "time_s": stage.time_s if stage and stage.state == "done" else None,
        **{name: getattr(stage, name, None) for name in STAGE_FIELDS},
        **{name: getattr(used, name, None) for name in RESOURCE_FIELDS},
        "base_state": base.outcome.state,
        "base_reason": base.outcome.reason,
        "base_message": base.outcome.message,
        "base_key": result.key if result else None,
        "profile": result.profile if result else None,
        "total_s": result.total_s if result else None,
        "resumed": result.resumed if result else None,
        "synthetic_video": result.synthetic_video if result else None,
        "badges": "; ".join(badge.text for badge in ordered(of_base(base, suite))),
        "folder": base.planned.folder,
    }


def quality(suite: SuiteData) -> pd.DataFrame:
    """One row for each model and video; captions that are not judged have no numbers."""
    rows = [_quality(suite, one) for one in quality_of(suite).pairs]
    return typed(rows, QUALITY_TYPES)


def _quality(suite: SuiteData, one: PairQuality) -> dict[str, Any]:
    pair, judged = one.pair, one.judged
    corpus, scores = judged.corpus, judged.by_attribute
    return {
        "suite": suite.manifest.name,
        "model": pair.model,
        "model_title": pair.model_title,
        "video": pair.video,
        "title": pair.title,
        "repeat": pair.shown.planned.repeat,
        "not_judged": one.void,
        "has_references": one.has_references,
        "captions": None if one.void else judged.captions,
        "without_reference": None if one.void else judged.without_reference,
        "bleu": corpus.bleu if corpus else None,
        "chrf": corpus.chrf if corpus else None,
        "bleu_signature": corpus.bleu_signature if corpus else None,
        "chrf_signature": corpus.chrf_signature if corpus else None,
        "distinct_2": judged.distinct_2,
        "language": judged.language,
        **{
            column: scores.share(name) if scores and scores.total[name] else None
            for name, column in OF_ATTRIBUTES.items()
        },
        **{column: number for name in SAMPLES for column, number in _sample(judged, name)},
        "badges": "; ".join(badge.text for badge in ordered(pair.badges)),
        "folder": pair.shown.planned.folder,
    }


def _sample(judged: Judged, name: str) -> list[tuple[str, float | int | None]]:
    """A number with its interval and the number of scenes it comes from."""
    sample: Sample = getattr(judged, SAMPLES[name])
    found = ends(sample)
    return [
        (name, sample.value),
        (f"{name}_low", found.low if found else None),
        (f"{name}_high", found.high if found else None),
        (f"{name}_scenes", sample.n or None),
    ]
