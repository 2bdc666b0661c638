"""Objects: what is in the picture, by an ultralytics YOLO model at a few frames a second."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any, ClassVar, Literal

import numpy as np

from kairos_lib.media.video import Frame
from kairos_lib.records import Detection
from kairos_lib.settings import Base, Weights
from kairos_lib.stages.stage import Context, Stage, scene_of
from kairos_lib.weights import downloads


class Analyzer(Stage):
    """Detects in batches while the frames go by; scenes are assigned once they are known."""

    name: ClassVar[str] = "objects"
    version: ClassVar[int] = 1
    record: ClassVar[type[Detection]] = Detection
    needs: ClassVar[tuple[str, ...]] = ("scenes",)
    device: ClassVar[Literal["cpu", "gpu", "io"]] = "gpu"
    memory_mib: ClassVar[int] = 1000
    needs_weights: ClassVar[bool] = True

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._settings = context.profile.objects
        self._model: Any = None
        self._batch: list[tuple[float, np.ndarray]] = []
        self._found: list[Detection] = []

    @classmethod
    def weights(cls, profile: Base) -> Weights | None:
        """A `.pt` file, loaded without running what is in it."""
        return profile.objects.weights

    def frames_per_second(self) -> float:
        """As the profile says."""
        return self._settings.frames_per_second

    def look(self, frame: Frame) -> None:
        """Collect a batch, then detect in it."""
        # ultralytics scales to its own input size; a frame longer than that is scaled here first,
        # once for all that look at it.
        image = frame.image(longest_px=self._settings.image_px, colour="bgr24")
        self._batch.append((frame.time_s, image))
        if len(self._batch) == self._settings.batch_size:
            self._detect()

    def run(self) -> Iterator[Detection]:
        """Give all detections, each with its scene."""
        self._detect()
        scenes = self.context.scenes()
        for found in self._found:
            yield found.model_copy(update={"scene": scene_of(scenes, found.time_s)})

    def _detect(self) -> None:
        if not self._batch:
            return
        if self._model is None:
            self._model = load(str(self.context.weights.path))
        results = self._model.predict(
            [image for _, image in self._batch],
            imgsz=self._settings.image_px,
            conf=self._settings.min_score,
            verbose=False,
        )
        for (time_s, _), result in zip(self._batch, results, strict=True):
            boxes = result.boxes
            for box, score, label in zip(
                boxes.xyxyn.tolist(), boxes.conf.tolist(), boxes.cls.tolist(), strict=True
            ):
                self._found.append(
                    Detection(
                        scene=-1,
                        time_s=time_s,
                        label=result.names[int(label)],
                        score=score,
                        box=tuple(box),
                    )
                )
        self._batch = []


def set_up_ultralytics() -> None:
    """Keep ultralytics offline and away from the user's files, before it is first imported.

    Without this it looks up hosts, reports use, installs packages by itself, and runs what a
    checkpoint tells it to.
    """
    os.environ["YOLO_OFFLINE"] = "1"
    os.environ["YOLO_AUTOINSTALL"] = "0"
    os.environ["ULTRALYTICS_SAFE_LOAD"] = "1"
    settings = downloads() / "ultralytics"
    settings.mkdir(parents=True, exist_ok=True)
    os.environ["YOLO_CONFIG_DIR"] = str(settings)


def load(path: str) -> Any:
    """Load a YOLO checkpoint, refusing any that would run code of its own."""
    set_up_ultralytics()
    from ultralytics.models.yolo.model import YOLO

    return YOLO(path)
