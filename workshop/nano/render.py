"""Draws the frames of a staged scene. Knows nothing of files, sounds or captions."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from kairos_lib.nano.palette import SHAPE_RGB, field_rgb
from kairos_lib.nano.staging import Actor, Pose
from kairos_lib.nano.world import HEIGHT_PX, WIDTH_PX, Field, Kind

Frame = NDArray[np.uint8]
"""An RGB frame of shape (height, width, 3)."""

# Fixed-point bits of a pixel's position: shapes move by fractions of a pixel.
_SHIFT = 4


def paint_field(field: Field, rng: random.Random) -> Frame:
    """Paint the field alone; `rng` decides where its pattern lies.

    Returns:
        A 640x360 RGB frame.
    """
    colour = field_rgb(field)
    mark = [int(c * 0.72) for c in colour]
    frame: Frame = np.full((HEIGHT_PX, WIDTH_PX, 3), colour, dtype=np.uint8)
    if field.texture == "striped":
        width, offset = rng.randint(38, 54), rng.randint(0, 80)
        if rng.random() < 0.5:
            for x in range(-offset, WIDTH_PX, 2 * width):
                frame[:, max(x, 0) : max(x + width, 0)] = mark
        else:
            for y in range(-offset, HEIGHT_PX, 2 * width):
                frame[max(y, 0) : max(y + width, 0)] = mark
    elif field.texture == "dotted":
        pitch, offset = rng.randint(56, 72), rng.randint(0, 50)
        for row, y in enumerate(range(offset - 60, HEIGHT_PX + 60, pitch)):
            for x in range(offset - 60 + (row % 2) * pitch // 2, WIDTH_PX + 60, pitch):
                cv2.circle(frame, (x, y), 12, mark, -1, cv2.LINE_AA)
    return frame


def paint_text(frame: Frame, text: str) -> None:
    """Write a few words into the lower margin of a frame, in place."""
    if text:
        place = (WIDTH_PX // 2 - 9 * len(text), HEIGHT_PX - 9)
        cv2.putText(frame, text, place, cv2.FONT_HERSHEY_DUPLEX, 0.8, (20, 20, 20), 4, cv2.LINE_AA)
        cv2.putText(
            frame, text, place, cv2.FONT_HERSHEY_DUPLEX, 0.8, (240, 240, 240), 1, cv2.LINE_AA
        )


def paint_frame(background: Frame, actors: Sequence[Actor], progress: float) -> Frame:
    """Paint the shapes over a copy of the background, at `progress` (0 to 1) of their scene."""
    frame = background.copy()
    for actor in actors:
        _paint_shape(frame, actor, actor.pose(progress))
    return frame


def _paint_shape(frame: Frame, actor: Actor, pose: Pose) -> None:
    colour = SHAPE_RGB[actor.shape.colour]
    one = 1 << _SHIFT
    if actor.shape.kind in ("circle", "ring"):
        centre = (round(pose.x_px * one), round(pose.y_px * one))
        if actor.shape.kind == "circle":
            cv2.circle(frame, centre, round(pose.radius_px * one), colour, -1, cv2.LINE_AA, _SHIFT)
            return
        thickness = round(pose.radius_px * 0.42)
        radius = round((pose.radius_px - thickness / 2) * one)
        cv2.circle(frame, centre, radius, colour, thickness, cv2.LINE_AA, _SHIFT)
        return
    corners = _outline(actor.shape.kind, pose, actor.turn_rad)
    cv2.fillPoly(frame, [np.round(corners * one).astype(np.int32)], colour, cv2.LINE_AA, _SHIFT)


def _outline(kind: Kind, pose: Pose, turn_rad: float) -> NDArray[np.float64]:
    """Corners of a shape with straight sides, in pixels, of shape (n, 2)."""
    if kind == "star":
        angles = [-math.pi / 2 + i * math.pi / 5 for i in range(10)]
        reach = [1.0 if i % 2 == 0 else 0.42 for i in range(10)]
    else:
        sides = 3 if kind == "triangle" else 4
        first = -math.pi / 2 if kind == "triangle" else -math.pi / 4
        angles = [first + i * 2 * math.pi / sides for i in range(sides)]
        reach = [1.0] * sides
    return np.array(
        [
            (
                pose.x_px + pose.radius_px * r * math.cos(a + turn_rad),
                pose.y_px + pose.radius_px * r * math.sin(a + turn_rad),
            )
            for a, r in zip(angles, reach, strict=True)
        ]
    )


def box_of(actor: Actor, progress: float) -> tuple[float, float, float, float]:
    """The tight box around a shape: left, top, right, bottom in pixels of the frame."""
    pose = actor.pose(progress)
    if actor.shape.kind in ("circle", "ring"):
        return pose.box
    corners = _outline(actor.shape.kind, pose, actor.turn_rad)
    left, top = corners.min(axis=0)
    right, bottom = corners.max(axis=0)
    return (float(left), float(top), float(right), float(bottom))


def fade(frame: Frame, brightness: float) -> Frame:
    """Darken a frame towards black; `brightness` runs from 1 (unchanged) to 0 (black)."""
    return np.asarray(frame * brightness, dtype=np.uint8)
