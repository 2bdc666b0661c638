"""Objects: detected in the pictures by an ultralytics YOLO model, at a few frames per second."""

from __future__ import annotations

import os
import zipfile
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple

import numpy as np
from pydantic import Field

from kairos_lib.analyzers.analyzer import Context, Device, Stage
from kairos_lib.analyzers.batching import Batches
from kairos_lib.errors import KairosError
from kairos_lib.parameters.settings import Settings
from kairos_lib.parameters.weights import Weights
from kairos_lib.runs.record import Record
from kairos_lib.weights.checkpoints import check_numbers
from kairos_lib.weights.disk import downloads

if TYPE_CHECKING:
    from kairos_lib.analyzers.profile import Base


class ObjectsSettings(Settings):
    """Object detection by a YOLO model."""

    weights: Weights | None = None
    frames_per_second: float = Field(1.0, gt=0)
    image_px: int = Field(640, ge=32)
    min_score: float = Field(0.35, ge=0, le=1)
    batch_size: int = Field(32, ge=1)
    tracker: Literal["none", "bytetrack", "botsort"] = "none"
    """Gives each object a number that stays the same from frame to frame."""


class Detection(Record):
    """An object seen in one frame."""

    scene: int
    time_s: float
    label: str
    score: float
    box: tuple[float, float, float, float]
    """Left, top, right, bottom as shares of the frame's width and height."""
    track_id: int | None = None


LABELS_AT_MOST = 8
"""Maximum number in a prompt: a street can have dozens, few of them matter to its scene."""
BOXED = ("detect", "segment", "pose")
"""YOLO tasks that yield upright boxes with labels."""


class SeenObject(Record):
    """Summary of one kind of object in a scene."""

    label: str
    count: int
    """Maximum number in any one frame."""
    tracks: int = 0
    """Number of different objects, according to a tracker; 0 without one."""
    best: Detection
    """Score of the most certain detection."""


class Sight(NamedTuple):
    """One frame as the model gets it."""

    time_s: float
    image: np.ndarray
    """BGR, shape (height, width, 3), uint8."""


class Analyzer(Stage):
    """Detects in batches while frames are decoded."""

    name: ClassVar[str] = "objects"
    version: ClassVar[int] = 2
    record: ClassVar[type[Detection]] = Detection
    settings: ClassVar[type[Settings]] = ObjectsSettings
    data_name: ClassVar[str] = "yolo"
    heading: ClassVar[str] = "Seen"
    nothing: ClassVar[str] = "no objects"
    not_run: ClassVar[str] = "not searched for objects"
    filter_title: ClassVar[str] = "Object"
    in_pictures: ClassVar[bool] = True
    placed: ClassVar[bool] = True
    packages: ClassVar[tuple[str, ...]] = ("torch", "ultralytics", "av")
    device: Device = "gpu"
    memory_mib: int = 1000

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._settings: ObjectsSettings = context.profile.objects

    @classmethod
    def weights(cls, profile: Base) -> Weights | None:
        """A `.pt` file, loaded without running code in it."""
        own: ObjectsSettings = profile.objects
        return own.weights

    @classmethod
    def uses_weights(cls, profile: Base) -> bool:
        """Always."""
        return True

    @classmethod
    def prompt_line(cls, records: Sequence[Detection]) -> str:
        """The most certain labels, and how many of each are visible at once."""
        named = [
            one.label if one.count == 1 else f"{one.count} x {one.label}"
            for one in seen(records)[:LABELS_AT_MOST]
        ]
        return "Objects: " + ", ".join(named) if named else ""

    @classmethod
    def view(cls, records: Sequence[Detection]) -> str:
        """Labels, the most frequent first, with how many are visible at once."""
        return ", ".join(
            label if most == 1 else f"{label} ×{most}" for label, most in _most_at_once(records)
        )

    @classmethod
    def labels(cls, records: Sequence[Detection]) -> list[str]:
        """Each label once."""
        return [label for label, _ in _most_at_once(records)]

    @classmethod
    def scene_data(cls, records: Sequence[Detection]) -> dict[str, Any]:
        """A summary by label, and each detection."""
        return {"objects": seen(records), "detections": list(records)}

    @classmethod
    def exported_data(cls, records: Sequence[Detection]) -> dict[str, Any]:
        """The same summary."""
        return cls.scene_data(records)

    def frames_per_second(self) -> float:
        """As the profile says."""
        return self._settings.frames_per_second

    @classmethod
    def load(cls, settings: Any, weights: Path, device: str) -> Any:
        """A YOLO on its device."""
        return load(str(weights), device)

    def prepare(self) -> None:
        """Load the tracker if one is configured."""
        size = self.fitting(self._settings.batch_size)
        self._batches = Batches[Sight, Any](self._detect, size)
        self._tracker = _tracker(self._settings.tracker)

    def run(self) -> Iterator[Detection]:
        """Yield the detections of each frame; scenes are assigned later."""
        for sight, result in self._batches.results(self._sights()):
            yield from self._detections(sight, result)
            self.context.progress(round(sight.time_s), round(self.context.facts.duration_s))
        self.batch_size = self._batches.size

    def _sights(self) -> Iterator[Sight]:
        for frame in self.frames:
            # ultralytics scales to its own input size; larger frames are scaled here first, in this
            # thread, while the next frames are decoded.
            image = frame.image(longest_px=self._settings.image_px, colour="bgr24")
            yield Sight(frame.time_s, image)

    def _detect(self, batch: Sequence[Sight]) -> list[Any]:
        found: list[Any] = self.model.predict(
            [sight.image for sight in batch],
            imgsz=self._settings.image_px,
            conf=self._settings.min_score,
            verbose=False,
        )
        return found

    def _detections(self, sight: Sight, result: Any) -> Iterator[Detection]:
        boxes = result.boxes
        tracks: dict[int, int] = {}
        if self._tracker is not None:
            # The tracker's rows end with the index of their detection. A detection that is not
            # certain yet has no row: it stays, without a track.
            rows = self._tracker.update(boxes.cpu().numpy(), sight.image)
            tracks = {int(row[-1]): int(row[4]) for row in rows}
        for number, (box, score, label) in enumerate(
            zip(boxes.xyxyn.tolist(), boxes.conf.tolist(), boxes.cls.tolist(), strict=True)
        ):
            yield Detection(
                scene=-1,
                time_s=sight.time_s,
                label=result.names[int(label)],
                score=score,
                box=tuple(box),
                track_id=tracks.get(number),
            )


def _most_at_once(detections: Sequence[Detection]) -> list[tuple[str, int]]:
    """Each label, the most frequent first, with its maximum count in one frame."""
    at_once: dict[str, Counter[float]] = defaultdict(Counter)
    for detection in detections:
        at_once[detection.label][detection.time_s] += 1
    ranked = sorted(at_once.items(), key=lambda one: -one[1].total())
    return [(label, max(frames.values())) for label, frames in ranked]


def seen(detections: Sequence[Detection]) -> list[SeenObject]:
    """Sum up the detections of a scene by label, the most certain label first."""
    by_label: dict[str, list[Detection]] = defaultdict(list)
    for found in detections:
        by_label[found.label].append(found)
    summed = [
        SeenObject(
            label=label,
            count=max(Counter(one.time_s for one in found).values()),
            tracks=len({one.track_id for one in found} - {None}),
            best=max(found, key=lambda one: one.score),
        )
        for label, found in by_label.items()
    ]
    return sorted(summed, key=lambda one: -one.best.score)


def _tracker(name: str) -> Any:
    """One of ultralytics' trackers with its default settings; None if none is configured."""
    if name == "none":
        return None
    from ultralytics.trackers.track import TRACKER_MAP
    from ultralytics.utils import YAML, IterableSimpleNamespace
    from ultralytics.utils.checks import check_yaml

    files: Any = YAML
    find: Any = check_yaml
    settings = IterableSimpleNamespace(**files.load(find(f"{name}.yaml")))
    return TRACKER_MAP[name](args=settings)


def set_up_ultralytics() -> None:
    """Keep ultralytics offline and away from the user's files, before it is first imported.

    Otherwise it contacts hosts, reports usage, installs packages by itself, and runs code from
    checkpoints.
    """
    os.environ["YOLO_OFFLINE"] = "1"
    os.environ["YOLO_AUTOINSTALL"] = "0"
    os.environ["ULTRALYTICS_SAFE_LOAD"] = "1"
    settings = downloads() / "ultralytics"
    settings.mkdir(parents=True, exist_ok=True)
    os.environ["YOLO_CONFIG_DIR"] = str(settings)


def load(path: str, device: str = "cpu") -> Any:
    """Load a YOLO checkpoint, refusing any that would run its own code.

    Raises:
        KairosError: It is not an ultralytics checkpoint, or does not detect objects.
    """
    path = str(Path(path).absolute())
    _check_file(Path(path))
    set_up_ultralytics()
    import torch
    from ultralytics.models.yolo.model import YOLO
    from ultralytics.nn import tasks as ultralytics_tasks
    from ultralytics.utils import torch_utils

    tasks: Any = ultralytics_tasks
    # ultralytics reads the variable once, and loads without a guard if torch is too old for it.
    if not (tasks.SAFE_LOAD and tasks._SafeLoad.SUPPORTED):
        raise KairosError(
            f"cannot load {path}: safe loading is off in this process; restart it, with torch 2.6 "
            "or newer"
        )
    # On a CPU it would set the number of threads to all of the machine's cores but one.
    vars(torch_utils)["NUM_THREADS"] = torch.get_num_threads()
    try:
        loaded: Any = YOLO(path)
        if Path(loaded.ckpt_path) != Path(path):
            raise ValueError(f"ultralytics reads {loaded.ckpt_path} instead: rename the file")
        if loaded.task not in BOXED:
            raise ValueError(f"it is made to {loaded.task}: objects needs one that finds boxes")
        check_numbers(loaded.model.state_dict().items())
    except Exception as error:  # Damaged files raise errors of pickle, zipfile, torch and more.
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise KairosError(f"cannot load {path}: {reason}") from error
    loaded.model.register_forward_hook(_check_scores)
    loaded.to(device)
    loaded.overrides["device"] = device  # Otherwise it would choose one itself.
    return loaded


def _check_file(path: Path) -> None:
    """Check that a file is suitable for safe loading: ultralytics detects other kinds by content.

    Raises:
        KairosError: It is of another kind, whatever its name.
    """
    if path.suffix != ".pt":
        raise KairosError(f"cannot load {path}: YOLO weights must be .pt checkpoints")
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
        if any(name.split("/")[-1] == "constants.pkl" or "/code/" in name for name in names):
            raise KairosError(
                f"cannot load {path}: it is a TorchScript, which is a program; YOLO weights are "
                ".pt checkpoints"
            )


def _check_scores(_model: Any, _inputs: Any, output: Any) -> None:
    """Check that a batch's results are finite: with NaN, no object would be found."""
    found = output[0] if isinstance(output, (tuple, list)) else output
    if hasattr(found, "isfinite") and not bool(found.isfinite().all()):
        raise KairosError("the scores of objects are NaN or infinite: the weights are damaged")
