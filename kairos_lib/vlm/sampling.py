"""Which frames of a scene a model sees, drawn in one forward pass."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from kairos_lib.media.video import VideoFile
from kairos_lib.records import Scene
from kairos_lib.settings import Frames


class SceneFrames(NamedTuple):
    """The frames of one scene."""

    scene: Scene
    images: tuple[np.ndarray, ...]
    """RGB, shape (height, width, 3), uint8."""
    times_s: tuple[float, ...]
    """Presentation times of the frames that were really taken."""


def frame_times_s(scene: Scene, frames: Frames) -> list[float]:
    """The moments of a scene to look at, in order.

    `start_middle` is the first frame and the one at half time; `even` splits the scene into
    equal parts and takes the middle of each.
    """
    if frames.sampling == "start_middle":
        return [scene.start_s, scene.middle_s]
    length_s = scene.end_s - scene.start_s
    return [scene.start_s + (i + 0.5) / frames.count * length_s for i in range(frames.count)]


def sample(video: Path, scenes: list[Scene], frames: Frames) -> Iterator[SceneFrames]:
    """Draw the frames of scenes that are in order of time, from one decoder."""
    wanted = [frame_times_s(scene, frames) for scene in scenes]
    pass_ = VideoFile(video).at([t for times in wanted for t in times])
    for scene, times in zip(scenes, wanted, strict=True):
        shown = [next(pass_)[1] for _ in times]
        yield SceneFrames(
            scene,
            tuple(frame.image(longest_px=frames.longest_px) for frame in shown),
            tuple(frame.time_s for frame in shown),
        )
