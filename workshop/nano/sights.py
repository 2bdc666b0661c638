"""Training examples of the nano YOLOv8: frames with a box around every shape."""

from __future__ import annotations

import random
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kairos_lib.nano.staging import NoRoomError, stage
from kairos_lib.nano.world import HEIGHT_PX, KINDS, WIDTH_PX, random_scene
from workshop.nano.examples import as_decoded
from workshop.nano.render import Frame, box_of, fade, paint_field, paint_frame, paint_text

IMAGE_WIDTH_PX = 320
IMAGE_HEIGHT_PX = 192
"""What a frame of 320x180 is padded to, for YOLOv8 looks at steps of 32 pixels."""

_SCALED_PX = (IMAGE_WIDTH_PX, IMAGE_WIDTH_PX * HEIGHT_PX // WIDTH_PX)
_MARGIN_PX = (IMAGE_HEIGHT_PX - _SCALED_PX[1]) // 2
# The gray that ultralytics pads with.
_PADDING = 114
_FIELDS_WITHOUT_SHAPES = 0.03


@dataclass(frozen=True)
class Sight:
    """A frame as the detector is shown it, and where its shapes are."""

    image: Frame
    """RGB, of shape (192, 320, 3), with bars of gray above and below."""
    kinds: NDArray[np.int64]
    """Index into KINDS of each shape: shape (n,)."""
    boxes: NDArray[np.float32]
    """Middle, width and height of each shape in shares of the image: shape (n, 4)."""


def sight(rng: random.Random) -> Sight:
    """Draw a scene at any of its moments, as a video would have it."""
    while True:
        scene = random_scene(rng)
        try:
            actors = stage(scene, rng, tries=60)
            break
        except NoRoomError:
            continue
    background = paint_field(scene.field, rng)
    paint_text(background, scene.text)
    if rng.random() < _FIELDS_WITHOUT_SHAPES:
        actors = ()
    moment = rng.random()
    quality = rng.randint(20, 95) if rng.random() < 0.5 else None
    frame = as_decoded(paint_frame(background, actors, moment), rng, quality, _SCALED_PX)
    if rng.random() < 0.2:
        frame = fade(frame, rng.uniform(0.13, 1.0))
    image = np.full((IMAGE_HEIGHT_PX, IMAGE_WIDTH_PX, 3), _PADDING, dtype=np.uint8)
    image[_MARGIN_PX : _MARGIN_PX + len(frame)] = frame
    corners = np.array([box_of(actor, moment) for actor in actors], dtype=np.float32).reshape(-1, 4)
    corners *= IMAGE_WIDTH_PX / WIDTH_PX
    corners[:, 1::2] += _MARGIN_PX
    whole = np.array([IMAGE_WIDTH_PX, IMAGE_HEIGHT_PX], dtype=np.float32)
    middle, size = (corners[:, :2] + corners[:, 2:]) / 2, corners[:, 2:] - corners[:, :2]
    return Sight(
        image=image,
        kinds=np.array([KINDS.index(actor.shape.kind) for actor in actors], dtype=np.int64),
        boxes=np.concatenate([middle / whole, size / whole], axis=1),
    )
