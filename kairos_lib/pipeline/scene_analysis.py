"""What base processing found, scene by scene, read from where it lies.

Memory does not grow with what is in the scenes: only where in a file each scene's records begin is
kept, eight bytes for each.
"""

from __future__ import annotations

from array import array
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Generic, TypeVar

from kairos_lib.analyzers.objects import Detection
from kairos_lib.analyzers.sounds import SoundEvent
from kairos_lib.analyzers.speech.segment import Segment
from kairos_lib.media.scene import Scene
from kairos_lib.runs.journal import Journal
from kairos_lib.runs.record import Record

R = TypeVar("R", bound=Record)


class SeenObject(Record):
    """All that was seen of one kind of thing in a scene."""

    label: str
    count: int
    """The most at once, in one frame."""
    tracks: int = 0
    """How many different ones, going by a tracker; 0 where none was asked for."""
    best: Detection
    """The most certain detection."""


class SceneFindings(Record):
    """What base processing found in one scene."""

    scene: Scene
    transcript: str
    segments: tuple[Segment, ...]
    sounds: tuple[SoundEvent, ...]
    objects: tuple[SeenObject, ...]
    """The most certain first."""
    detections: tuple[Detection, ...]


class ByScene(Generic[R]):
    """A journal's records by their scene, read when they are asked for."""

    def __init__(self, path: Path, kind: type[R]) -> None:
        self._journal = Journal(path, kind)
        self._offsets: dict[int, array[int]] = defaultdict(lambda: array("q"))
        for offset, record in self._journal.placed():
            self._offsets[getattr(record, "scene")].append(offset)  # noqa: B009

    def __getitem__(self, scene: int) -> list[R]:
        """The records of a scene, in the order they were written in."""
        return self._journal.at(self._offsets[scene]) if scene in self._offsets else []


class BaseFindings:
    """The results of one base run, by scene.

    Args:
        folder: The run's folder.
    """

    def __init__(self, folder: Path) -> None:
        self.scenes = list(Journal(folder / "scenes.jsonl", Scene))
        self._segments = ByScene(folder / "speech.jsonl", Segment)
        self._sounds = ByScene(folder / "sounds.jsonl", SoundEvent)
        self._detections = ByScene(folder / "objects.jsonl", Detection)

    def of(self, scene: Scene) -> SceneFindings:
        """All that was found in a scene."""
        segments = sorted(self._segments[scene.index], key=lambda segment: segment.start_s)
        detections = self._detections[scene.index]
        return SceneFindings(
            scene=scene,
            transcript=" ".join(segment.text for segment in segments),
            segments=tuple(segments),
            sounds=tuple(self._sounds[scene.index]),
            objects=tuple(seen(detections)),
            detections=tuple(detections),
        )

    def __iter__(self) -> Iterator[SceneFindings]:
        """Scene by scene."""
        return map(self.of, self.scenes)


def seen(detections: list[Detection]) -> list[SeenObject]:
    """Sum up the detections of a scene by label, the most certain label first."""
    by_label: dict[str, list[Detection]] = defaultdict(list)
    for found in detections:
        by_label[found.label].append(found)
    summed = [
        SeenObject(
            label=label,
            count=max(Counter(one.time_s for one in found).values()),
            tracks=len({one.track_id for one in found} - {None}),
            best=max(found, key=lambda one: one.score),
        )
        for label, found in by_label.items()
    ]
    return sorted(summed, key=lambda one: -one.best.score)
