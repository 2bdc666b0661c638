"""Detections as a COCO data set: frames, categories, boxes with scores.

Format: https://cocodataset.org/#format-data, with a `score` for each box, as in its results. The
whole file can be read as annotations, and its `annotations` alone as results.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from kairos_lib import __version__
from kairos_lib.analyzers.objects import Detection
from kairos_lib.pipeline.records import BaseResult
from kairos_lib.pipeline.scene_analysis import VideoFindings
from kairos_lib.publish.streams import write_object
from kairos_lib.runs.record import Record


class Info(Record):
    """Information about a data set."""

    description: str
    version: str


class Image(Record):
    """A frame in which something was found."""

    id: int
    file_name: str
    """What a picture of it would be called; none is written."""
    width: int
    height: int
    """Upright and with square pixels, as players show it."""
    video: str
    time_s: float
    """From the first frame's presentation time."""
    scene: int


class Annotation(Record):
    """One box."""

    id: int
    image_id: int
    category_id: int
    bbox: tuple[float, float, float, float]
    """Left, top, width, height in pixels."""
    area: float
    iscrowd: int = 0
    score: float
    track_id: int | None = None


class Category(Record):
    """A kind of object."""

    id: int
    name: str
    supercategory: str = "object"


def labels(found: VideoFindings) -> set[str]:
    """Labels that occur in a video."""
    return {detection.label for scene in found for detection in scene.of("objects")}


def numbered(names: Iterable[str]) -> dict[str, int]:
    """A number for each label: a category has the same one in all files of an export."""
    return {name: number for number, name in enumerate(sorted(names), start=1)}


def write(
    path: Path, result: BaseResult, found: VideoFindings, numbers: Mapping[str, int]
) -> tuple[int, int]:
    """Write the detections of one video.

    Args:
        path: The file to write.
        result: Base processing of the video.
        found: Findings in the video.
        numbers: Numbers of its labels, and possibly of others.

    Returns:
        The number of boxes and of frames.
    """
    scenes = {
        detection.time_s: scene.scene.index for scene in found for detection in scene.of("objects")
    }
    frames = {time_s: number for number, time_s in enumerate(sorted(scenes), start=1)}
    width, height = result.facts.display_size
    info = Info(
        description=f"Objects found in {result.title}; frames in which none was found are left out",
        version=f"kairos {__version__}",
    )
    images = (
        Image(
            id=number,
            file_name=f"{result.video}-{round(time_s * 1000):09d}ms.jpg",
            width=width,
            height=height,
            video=result.video,
            time_s=time_s,
            scene=scenes[time_s],
        )
        for time_s, number in frames.items()
    )
    counts = write_object(
        path,
        {"info": info},
        {
            "images": images,
            "annotations": _annotations(_detections(found), frames, numbers, (width, height)),
            "categories": (Category(id=n, name=label) for label, n in numbers.items()),
        },
    )
    return counts["annotations"], counts["images"]


def _detections(found: VideoFindings) -> Iterator[Detection]:
    for scene in found:
        yield from scene.of("objects")


def _annotations(
    detections: Iterator[Detection],
    frames: Mapping[float, int],
    numbers: Mapping[str, int],
    size: tuple[int, int],
) -> Iterator[Annotation]:
    for number, detection in enumerate(detections, start=1):
        bbox = pixels(detection.box, size)
        yield Annotation(
            id=number,
            image_id=frames[detection.time_s],
            category_id=numbers[detection.label],
            bbox=bbox,
            area=round(bbox[2] * bbox[3], 2),
            score=detection.score,
            track_id=detection.track_id,
        )


def pixels(
    box: tuple[float, float, float, float], size: tuple[int, int]
) -> tuple[float, float, float, float]:
    """Convert a box from shares (left, top, right, bottom) to pixels, within the frame.

    Args:
        box: As in `Detection`.
        size: Width and height of the frame.

    Returns:
        Left, top, width, height.
    """
    left, top, right, bottom = (
        min(max(share, 0.0), 1.0) * side for share, side in zip(box, size * 2, strict=True)
    )
    return (
        round(left, 2), round(top, 2),
        round(max(right - left, 0.0), 2), round(max(bottom - top, 0.0), 2),
    )  # fmt: skip
