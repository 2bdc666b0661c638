"""Training examples of the nano LLaVA: pairs of frames, what they hold, and a caption."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from kairos_lib.nano.staging import Actor, NoRoomError, stage
from kairos_lib.nano.world import (
    COLOURS,
    GROUNDS,
    HEIGHT_PX,
    KINDS,
    MOTIONS,
    SIZES,
    TEXTURES,
    WIDTH_PX,
    random_scene,
)
from workshop.nano.llava import GRID
from workshop.nano.questions import Question, question
from workshop.nano.render import Frame, fade, paint_field, paint_frame, paint_text

FRAME_WIDTH_PX = 336
FRAME_HEIGHT_PX = 189

# What a patch is asked about: class indices first, then places. -1 stands for "no shape here".
PATCH_CLASSES = ("kind", "colour", "size", "motion", "rank")
PATCH_PLACES = ("x", "y", "radius", "dx", "dy", "growth")


@dataclass(frozen=True)
class Example:
    """Two frames of a scene with the answers to everything a model is taught about them."""

    frames: NDArray[np.uint8]
    """The first and the middle frame: shape (2, 189, 336, 3), RGB."""
    classes: NDArray[np.int64]
    """Per frame, tile and patch: shape (2, 2, 49, 5), in the order of PATCH_CLASSES."""
    places: NDArray[np.float32]
    """Likewise: shape (2, 2, 49, 6), in shares of the frame's width; motion since frame one."""
    ground: int
    texture: int
    count: int
    question: Question


def example(rng: random.Random) -> Example:
    """Draw a scene, render its first and middle frame as a video would have them, and ask."""
    while True:
        scene = random_scene(rng)
        try:
            actors = stage(scene, rng, tries=60)
            break
        except NoRoomError:
            continue
    background = paint_field(scene.field, rng)
    paint_text(background, scene.text)
    # The frame "at the middle" is the nearest one there is, and a scene's start is found to
    # within a frame or two.
    moments = (rng.uniform(0.0, 0.03), rng.uniform(0.44, 0.56))
    quality = rng.randint(20, 95) if rng.random() < 0.4 else None
    size = (FRAME_WIDTH_PX, FRAME_HEIGHT_PX)
    frames = [as_decoded(paint_frame(background, actors, m), rng, quality, size) for m in moments]
    # Scenes fade a little now and then.
    frames = [fade(f, rng.uniform(0.88, 1.0)) if rng.random() < 0.3 else f for f in frames]
    targets = [_patch_targets(actors, m) for m in moments]
    return Example(
        frames=np.stack(frames),
        classes=np.stack([classes for classes, _ in targets]),
        places=np.stack([places for _, places in targets]),
        ground=GROUNDS.index(scene.field.colour),
        texture=TEXTURES.index(scene.field.texture),
        count=len(scene.shapes) - 1,
        question=question(scene, rng),
    )


def as_decoded(
    frame: Frame, rng: random.Random, quality: int | None, size: tuple[int, int]
) -> Frame:
    """Scale a frame to a width and height as decoding does, with the marks of compression.

    Args:
        frame: What was drawn.
        rng: Draws the way of scaling.
        quality: Of a JPEG that the frame goes through, from 1 to 100; None leaves no marks.
        size: Width and height to scale to, in pixels.
    """
    if quality is not None:
        _, packed = cv2.imencode(".jpg", frame, [cv2.IMWRITE_JPEG_QUALITY, quality])
        frame = np.asarray(cv2.imdecode(packed, cv2.IMREAD_COLOR), dtype=np.uint8)
    way = rng.choice((cv2.INTER_AREA, cv2.INTER_AREA, cv2.INTER_CUBIC, cv2.INTER_LINEAR))
    return np.asarray(cv2.resize(frame, size, interpolation=way), dtype=np.uint8)


def _sample_points() -> NDArray[np.float32]:
    """Points of the frame that every patch sees: shape (2 tiles, 49, 16, 2), in pixels.

    The first tile is the frame squeezed into a square, the second the frame with bars above and
    below, as LLaVA-NeXT cuts them. Points in the bars lie outside the frame.
    """
    steps = (np.arange(GRID * 4) + 0.5) / (GRID * 4)
    y, x = np.meshgrid(steps, steps, indexing="ij")
    squeezed = np.stack([x * WIDTH_PX, y * HEIGHT_PX], axis=-1)
    barred = np.stack([x * WIDTH_PX, (y - 0.5) * WIDTH_PX + HEIGHT_PX / 2], axis=-1)
    tiles = np.stack([squeezed, barred]).reshape(2, GRID, 4, GRID, 4, 2)
    points: NDArray[np.float32] = tiles.transpose(0, 1, 3, 2, 4, 5).reshape(2, GRID**2, 16, 2)
    return points.astype(np.float32)


_POINTS = _sample_points()


def _patch_targets(
    actors: Sequence[Actor], progress: float
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    poses = [actor.pose(progress) for actor in actors]
    ranks = np.argsort(np.argsort([pose.x_px for pose in poses]))
    covered = np.stack(
        [
            (np.hypot(_POINTS[..., 0] - p.x_px, _POINTS[..., 1] - p.y_px) < p.radius_px).mean(-1)
            for p in poses
        ]
    )
    # A shape owns the patches that it covers by a fifth, which leaves even a small one with some.
    owner = np.where(covered.max(0) > 0.2, covered.argmax(0), -1)
    classes = np.full((2, GRID**2, len(PATCH_CLASSES)), -1, dtype=np.int64)
    places = np.zeros((2, GRID**2, len(PATCH_PLACES)), dtype=np.float32)
    for index, (actor, pose) in enumerate(zip(actors, poses, strict=True)):
        shape, start = actor.shape, actor.start
        classes[owner == index] = (
            KINDS.index(shape.kind),
            COLOURS.index(shape.colour),
            SIZES.index(shape.size),
            MOTIONS.index(shape.motion),
            ranks[index],
        )
        places[owner == index] = (
            pose.x_px / WIDTH_PX,
            pose.y_px / WIDTH_PX,
            pose.radius_px / WIDTH_PX * 4,
            (pose.x_px - start.x_px) / WIDTH_PX * 4,
            (pose.y_px - start.y_px) / WIDTH_PX * 4,
            (pose.radius_px - start.radius_px) / WIDTH_PX * 8,
        )
    return classes, places
