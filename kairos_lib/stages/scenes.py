"""Scenes: cuts found by PySceneDetect's detectors, and two thumbnails of each scene."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from kairos_lib.errors import KairosError
from kairos_lib.media.thumbnails import Candidate, ThumbnailPicker
from kairos_lib.media.video import Frame
from kairos_lib.records import Scene
from kairos_lib.stages.stage import Context, Stage

JPEG_QUALITY = 85
# The adaptive detector looks two frames ahead, the merging filter waits for a scene's least
# length; half a second more covers both at any frame rate worth the name.
LATE_CUT_S = 0.5


class Analyzer(Stage):
    """Finds cuts frame by frame, so that any number of others can look at the same frames."""

    name: ClassVar[str] = "scenes"
    version: ClassVar[int] = 1
    record: ClassVar[type[Scene]] = Scene

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._settings = context.profile.scenes
        self._detector = _detector(
            self._settings.detector, self._settings.parameters, self._settings.min_scene_s
        )
        self._picker = ThumbnailPicker(self._settings.min_scene_s + LATE_CUT_S)
        self._scenes: list[Scene] = []
        self._start_s = 0.0
        self._last: Frame | None = None
        self._last_code: Any = None
        self._frame_s = 1 / context.facts.frames_per_second

    def frames_per_second(self) -> float:
        """All of them: a cut is between two frames."""
        return math.inf

    def look(self, frame: Frame) -> None:
        """Compare with the frame before."""
        if self._last is not None:
            self._frame_s = frame.time_s - self._last.time_s
        image = frame.image(width_px=self._settings.analysis_px, colour="bgr24")
        code = self._timecode(frame)
        self._picker.add(
            Candidate(frame.index, frame.time_s, frame.image(self._settings.thumbnail_px))
        )
        for cut in self._detector.process_frame(code, image):
            self._close(cut.seconds)
        self._last, self._last_code = frame, code

    def run(self) -> Iterator[Scene]:
        """Give the scenes; a video without a cut is one scene."""
        if self._last is None:
            raise KairosError(
                f"{str(self.context.video)!r} has no frame that can be decoded: copy it again"
            )
        for cut in self._detector.post_process(self._last_code):
            self._close(cut.seconds)
        self._close(self._last.time_s + self._frame_s)
        yield from self._scenes

    def _timecode(self, frame: Frame) -> Any:
        from scenedetect.common import FrameTimecode, Timecode

        base = frame.time_base
        code = Timecode(pts=round(frame.time_s / base), time_base=base)
        return FrameTimecode(code, fps=self.context.facts.frames_per_second)

    def _close(self, end_s: float) -> None:
        """End the scene that is going on."""
        if end_s <= self._start_s:
            return
        index = len(self._scenes)
        names = []
        for role, candidate in zip(("start", "middle"), self._picker.close(end_s), strict=True):
            names.append(f"{index:04d}-{role}.jpg")
            _save(candidate.image, self.context.folder / "thumbnails" / names[-1])
        self._scenes.append(
            Scene(index=index, start_s=self._start_s, end_s=end_s, thumbnails=tuple(names))
        )
        self._start_s = end_s


def _detector(name: str, parameters: dict[str, float], min_scene_s: float) -> Any:
    from scenedetect import detectors

    kind = {
        "content": detectors.ContentDetector,
        "adaptive": detectors.AdaptiveDetector,
        "threshold": detectors.ThresholdDetector,
        "hash": detectors.HashDetector,
    }[name]
    try:
        return kind(min_scene_len=float(min_scene_s), **parameters)
    except TypeError as error:
        raise KairosError(f"base profile, scenes.parameters: {error}") from error


def _save(image: np.ndarray, path: Path) -> None:
    from PIL import Image

    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image).save(path, quality=JPEG_QUALITY)
