"""Everything known about one video in one JSON file: findings, and each model's captions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ConfigDict

from kairos_lib import __version__
from kairos_lib.analyzers.objects import Detection, SeenObject
from kairos_lib.analyzers.sounds import SoundEvent
from kairos_lib.analyzers.speech.segment import Segment
from kairos_lib.media.scene import Scene
from kairos_lib.pipeline.records import BaseResult
from kairos_lib.pipeline.scene_analysis import SceneFindings, VideoFindings
from kairos_lib.publish.streams import write_object
from kairos_lib.results.badges import Badge, of_base, of_captions, of_run, ordered
from kairos_lib.results.step_runs import BaseRun, VlmRun
from kairos_lib.results.suite import SuiteData
from kairos_lib.runs.journal import Journal
from kairos_lib.runs.record import Record
from kairos_lib.vlm.records import Caption, FusedScene, VlmResult

Said = Sequence[tuple[VlmRun, Mapping[int, Caption]]]
"""A run of each model, and its captions by scene."""


class Video(Record):
    """The video, and how base processing of it went."""

    badges: tuple[str, ...]
    """What a reader must know about its findings."""
    result: BaseResult


class ModelOfVideo(Record):
    """One model on the video."""

    model: str
    title: str
    badges: tuple[str, ...]
    """What a reader must know about its numbers."""
    result: VlmResult


class ModelCaption(Record):
    """One model's caption of one scene."""

    model: str
    badges: tuple[str, ...]
    """What a reader must know before reading it."""
    caption: Caption


class SceneOfVideo(Record):
    """One scene; any other analyzer adds a field of its name."""

    model_config = ConfigDict(extra="allow", frozen=True)

    scene: Scene
    transcript: str
    segments: tuple[Segment, ...]
    sounds: tuple[SoundEvent, ...]
    objects: tuple[SeenObject, ...]
    detections: tuple[Detection, ...]
    captions: tuple[ModelCaption, ...]


def captions(run: VlmRun) -> dict[int, Caption]:
    """A run's captions by scene.

    Raises:
        KairosError: They cannot be read.
    """
    fused = Journal(run.folder / "fused.jsonl", FusedScene)
    return {one.scene.index: one.caption for one in fused}


def write(
    path: Path,
    suite: SuiteData,
    base: BaseRun,
    result: BaseResult,
    said: Said,
) -> int:
    """Write one video's file.

    Args:
        path: The file to write.
        suite: The suite of the video.
        base: Its base processing.
        result: The results of that.
        said: A run of each model, and its captions by scene.

    Returns:
        The number of scenes.

    Raises:
        KairosError: The findings cannot be read.
    """
    head: dict[str, Record | str] = {
        "kairos": __version__,
        "suite": suite.manifest.name,
        "video": video(suite, base, result),
    }
    lists = {"models": models(suite, said), "scenes": scenes(base, said)}
    return write_object(path, head, lists)["scenes"]


def video(suite: SuiteData, base: BaseRun, result: BaseResult) -> Video:
    """The video, and how base processing of it went."""
    return Video(badges=_texts(of_base(base, suite)), result=result)


def models(suite: SuiteData, said: Said) -> list[ModelOfVideo]:
    """Each model on the video."""
    return [
        ModelOfVideo(
            model=run.planned.model,
            title=run.planned.model_title,
            badges=_texts(of_run(run, suite)),
            result=run.result,
        )
        for run, _ in said
        if run.result is not None
    ]


def scenes(base: BaseRun, said: Said) -> Iterator[SceneOfVideo]:
    """Scene by scene, read from the run's files on demand.

    Raises:
        KairosError: The findings cannot be read.
    """
    for found in VideoFindings(base.folder):
        yield SceneOfVideo(
            scene=found.scene,
            **_found(found),
            captions=tuple(_said(found.scene.index, said)),
        )


def _found(found: SceneFindings) -> dict[str, Any]:
    """The findings of each analyzer."""
    fields: dict[str, Any] = {}
    for kind, records in found.by_analyzer:
        fields |= kind.exported_data(records)
    return fields


def _said(scene: int, said: Said) -> Iterator[ModelCaption]:
    for run, known in said:
        if run.result is not None and scene in known:
            badges = _texts(of_captions(run.result))
            yield ModelCaption(model=run.planned.model, badges=badges, caption=known[scene])


def _texts(badges: set[Badge]) -> tuple[str, ...]:
    return tuple(badge.text for badge in ordered(badges))
