"""Scores the nano YOLOv8 on unseen clips, through the objects stage."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from kairos_lib.analyzers.objects import Detection
from kairos_lib.analyzers.profile import Base
from kairos_lib.nano.truth import Box, ClipTruth
from workshop.nano.precision import Corners, Guess, Shown, hits, mean_average_precision
from workshop.nano.scoring import Line
from workshop.nano.unseen import Processed, process

# Every fifth frame of a clip, and guesses of nearly no certainty, for the curve needs its tail.
_FRAMES_PER_SECOND = 5.0
_LEAST_SCORE = 0.01
# The usual mean over ten overlaps.
_OVERLAPS = tuple(0.5 + 0.05 * step for step in range(10))


@dataclass
class _Found:
    """What is in the pictures of all clips, and what is said to be."""

    shown: list[Shown]
    guesses: list[Guess]


def lines(clips: Sequence[Processed], profile: Base) -> list[Line]:
    """Mean average precision, and precision and recall at the profile's own least score."""
    found = _Found([], [])
    for number, clip in enumerate(clips):
        _add(found, clip, profile, first_picture=number * 1_000_000)
    sure = [g for g in found.guesses if g.score >= profile.objects.min_score]
    right = sum(hits(found.shown, sure))
    size = f"{len(found.shown)} shapes"
    strict = [mean_average_precision(found.shown, found.guesses, least) for least in _OVERLAPS]
    at = f"at score {profile.objects.min_score:.2f}"
    return [
        Line("yolo", "mAP50", strict[0], 0.9, size),
        Line("yolo", "mAP50-95", sum(strict) / len(strict), None, size),
        Line("yolo", f"precision {at}", right / max(len(sure), 1), None, f"{len(sure)} boxes"),
        Line("yolo", f"recall {at}", right / len(found.shown), None, size),
    ]


def shown_at(truth: ClipTruth, time_s: float) -> Iterator[tuple[str, Corners]]:
    """The shapes of a moment with their boxes in shares of the frame.

    The truth has the boxes of every fifth frame. Shapes move and grow evenly, so the first and
    the last box of a scene tell all that lie between and, for the last few frames, beyond.
    """
    scene = next(s for s in reversed(truth.scenes) if s.start_s <= time_s + 1e-6)
    for index, shape in enumerate(scene.scene.shapes):
        boxes = [box for box in scene.boxes if box.shape == index]
        first, last = boxes[0], boxes[-1]
        progress = (time_s - first.time_s) / (last.time_s - first.time_s)
        left, top, right, bottom = (
            a + (b - a) * progress for a, b in zip(_sides(first), _sides(last), strict=True)
        )
        width, height = truth.width_px, truth.height_px
        yield shape.kind, (left / width, top / height, right / width, bottom / height)


def _add(found: _Found, clip: Processed, profile: Base, first_picture: int) -> None:
    """Look at a clip by the objects stage, with settings that leave nothing out."""
    settings = profile.objects.model_copy(
        update={"frames_per_second": _FRAMES_PER_SECOND, "min_score": _LEAST_SCORE}
    )
    every = profile.model_copy(update={"objects": settings, "stages": ("objects",)})
    with tempfile.TemporaryDirectory() as folder:
        looked = process(clip.clip, clip.truth, every, Path(folder))
        detections = looked.found("objects", Detection)
    step = round(clip.truth.fps / _FRAMES_PER_SECOND)
    frames = range(0, round(clip.truth.duration_s * clip.truth.fps), step)
    for frame in frames:
        for kind, box in shown_at(clip.truth, frame / clip.truth.fps):
            found.shown.append(Shown(first_picture + frame, kind, box))
    for seen in detections:
        frame = round(seen.time_s * clip.truth.fps)
        assert frame in frames, f"the stage looked at frame {frame}, which is not scored"
        found.guesses.append(Guess(first_picture + frame, seen.label, seen.box, seen.score))


def _sides(box: Box) -> Corners:
    return (box.left_px, box.top_px, box.right_px, box.bottom_px)
