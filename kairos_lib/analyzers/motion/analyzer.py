"""Motion: how the picture moves as a whole, and what moves in it by itself.

One pass of optical flow serves `camera`, `cuts` and whatever else asks how a video moves. Frames
follow one another without a gap, so that movements add up: the mean over a stretch is exactly how
far the picture went, however much the camera shook on the way.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import numpy as np
from pydantic import Field

from kairos_lib.analyzers.analyzer import Context, Stage
from kairos_lib.analyzers.motion.alignment import Aligner, Alignment
from kairos_lib.measure import threads
from kairos_lib.media.video import Frame
from kairos_lib.parameters.settings import Settings
from kairos_lib.runs.record import Record

FLOW_PX = 256
"""Longer side at which flow is computed."""
GRID = 8
DIGITS = 5
"""Of stored numbers: a hundredth of a pixel is finer than flow is."""
WHITE = 255


class MotionSettings(Settings):
    """Movement of the picture by optical flow."""

    frames_per_second: float = Field(10.0, gt=0)
    """Between two of these frames, a pan may cover about a third of the width."""
    min_inliers: float = Field(0.4, ge=0, le=1)
    """Share of the textured points that must follow one movement for it to be the picture's."""
    min_spread: float = Field(0.5, ge=0, le=1)
    """Share of the picture's 4 × 4 parts in which something must follow it: what moves in fewer,
    before a plain background, may be a thing and not the picture."""
    min_alike: float = Field(0.9, ge=0, le=1)
    """Correlation that two frames must have once one is brought onto the other: less is a cut, a
    dissolve, or noise."""


class Movement(Record):
    """How the picture moves as a whole: what is seen, which is the reverse of the camera's."""

    dx_widths_per_s: float
    """Rightwards, in widths of the picture."""
    dy_widths_per_s: float
    """Downwards, in widths of the picture too."""
    zoom_per_s: float
    """Natural logarithm of the factor by which the picture grows in a second."""
    roll_deg_per_s: float
    """Clockwise."""


class Motion(Record):
    """A frame, and how the picture moved since the frame before it."""

    time_s: float
    gap_s: float
    """Since the frame before; 0 for a video's first."""
    movement: Movement | None = None
    """None if there is none to be told: the first frame, a cut, a flat picture, noise."""
    inliers: float = 0.0
    """Share of the textured points that follow one movement, whether or not it is believed."""
    alike: float = 0.0
    """Correlation of the two frames once they are aligned."""
    subject_share: float = 0.0
    """Share of the textured points that move otherwise than the picture as a whole."""
    subject_widths_per_s: float = 0.0
    """How fast these move in relation to it."""
    brightness: float
    """Mean of the picture: 0 is black, 1 is white."""
    grid: tuple[int, ...]
    """Brightness, 0 to 255, of 8 × 8 equal parts, row by row: what a fade or a dissolve changes."""


class Analyzer(Stage):
    """Measures motion while frames are decoded."""

    name: ClassVar[str] = "motion"
    version: ClassVar[int] = 1
    record: ClassVar[type[Motion]] = Motion
    settings: ClassVar[type[Settings]] = MotionSettings
    about_scenes: ClassVar[bool] = False
    packages: ClassVar[tuple[str, ...]] = ("opencv-python-headless", "av")

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._settings: MotionSettings = context.profile.motion
        self._aligner: Aligner | None = None

    def frames_per_second(self) -> float:
        """As the profile says."""
        return self._settings.frames_per_second

    def prepare(self) -> None:
        """Import OpenCV, which takes longer than a frame."""
        threads.one_of_opencv()

    def run(self) -> Iterator[Motion]:
        """Yield a record for each frame."""
        before: tuple[float, np.ndarray] | None = None
        for frame in self.frames:
            image = grey(frame)
            yield self._motion(before, frame.time_s, image)
            before = frame.time_s, image
            self.context.progress(round(frame.time_s), round(self.context.facts.duration_s))

    def _motion(
        self, before: tuple[float, np.ndarray] | None, time_s: float, image: np.ndarray
    ) -> Motion:
        import cv2

        grid = cv2.resize(image, (GRID, GRID), interpolation=cv2.INTER_AREA)
        motion = Motion(
            time_s=time_s,
            gap_s=0.0,
            brightness=round(float(image.mean()) / WHITE, DIGITS),
            grid=tuple(int(value) for value in grid.ravel()),
        )
        if before is None or time_s <= before[0]:
            return motion
        gap_s = time_s - before[0]
        motion = motion.model_copy(update={"gap_s": round(gap_s, DIGITS)})
        if self._aligner is None:
            self._aligner = Aligner((image.shape[0], image.shape[1]))
        found = self._aligner.align(before[1], image)
        return motion if found is None else self._with(motion, found, gap_s, image.shape[1])

    def _with(self, motion: Motion, found: Alignment, gap_s: float, width_px: int) -> Motion:
        """A record with what was found."""
        told = {"inliers": round(found.inliers, DIGITS), "alike": round(found.alike, DIGITS)}
        settings = self._settings
        if (
            found.inliers < settings.min_inliers
            or found.alike < settings.min_alike
            or found.spread < settings.min_spread
        ):
            return motion.model_copy(update=told)
        similarity = found.similarity
        movement = Movement(
            dx_widths_per_s=round(similarity.dx_px / width_px / gap_s, DIGITS),
            dy_widths_per_s=round(similarity.dy_px / width_px / gap_s, DIGITS),
            zoom_per_s=round(similarity.log_scale / gap_s, DIGITS),
            roll_deg_per_s=round(similarity.angle_deg / gap_s, DIGITS),
        )
        own = {
            "subject_share": round(found.loose, DIGITS),
            "subject_widths_per_s": round(found.apart_px / width_px / gap_s, DIGITS),
        }
        return motion.model_copy(update={**told, **own, "movement": movement})


def grey(frame: Frame) -> np.ndarray:
    """A frame for optical flow: brightness, shape (height, width), uint8."""
    return frame.image(FLOW_PX, colour="gray", interpolation="AREA")
