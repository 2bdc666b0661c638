"""Faces: found, followed, how the heads are turned, and how old they look to a small model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from kairos_lib import formats
from kairos_lib.analyzers.analyzer import Context, Stage
from kairos_lib.analyzers.faces.age import Age
from kairos_lib.analyzers.faces.detector import Detector, Found
from kairos_lib.analyzers.faces.eyes import Iris, eyes
from kairos_lib.analyzers.faces.face import Face, Person, at_once, people, stretches
from kairos_lib.analyzers.faces.mesh import Mesh, Pose, pose
from kairos_lib.analyzers.faces.tracks import Tracks
from kairos_lib.analyzers.marks import Box, Mark
from kairos_lib.media.video import Frame
from kairos_lib.parameters.settings import Settings
from kairos_lib.parameters.weights import Weights
from kairos_lib.runs.record import Record

if TYPE_CHECKING:
    from kairos_lib.analyzers.profile import Base


class FacesSettings(Settings):
    """Faces by MediaPipe's networks, ages by one of dlib's."""

    weights: Weights | None = None
    """A folder with detector.tflite, mesh.tflite, iris.tflite and age.onnx."""
    frames_per_second: float = Field(4.0, gt=0)
    image_px: int = Field(640, ge=64)
    """Longer side of the picture that is looked at."""
    min_score: float = Field(0.5, ge=0, le=1)
    max_faces: int = Field(16, ge=1)
    """The largest faces of a frame are recorded; the others are only counted."""
    iris: bool = False
    """Whether to find the irises, as a gaze needs."""
    ages: Literal["none", "shown", "told"] = "shown"
    """Whether ages are estimated: shown in pages and files, or also told to models in prompts."""


AGE_MIN_PX = 64
"""Narrower faces get no age: they have fewer pixels than the model's input."""
AGE_MAX_YAW_DEG = 35
"""Nor do faces that are turned away further."""
TOLD_AT_MOST = 4
"""Ages in a prompt or in a line of the report."""


@dataclass(frozen=True)
class Nets:
    """What is loaded once and used for one video after another."""

    detector: Detector
    mesh: Mesh
    iris: Iris | None
    age: Age | None


class Analyzer(Stage):
    """Looks at a few frames per second while the video is decoded."""

    name: ClassVar[str] = "faces"
    version: ClassVar[int] = 1
    record: ClassVar[type[Record]] = Face
    settings: ClassVar[type[Settings]] = FacesSettings
    load_settings: ClassVar[frozenset[str]] = frozenset({"min_score", "iris", "ages"})
    heading: ClassVar[str] = "Faces"
    nothing: ClassVar[str] = "no faces"
    not_run: ClassVar[str] = "not searched for faces"
    filter_title: ClassVar[str] = "Faces"
    in_pictures: ClassVar[bool] = True
    placed: ClassVar[bool] = True
    packages: ClassVar[tuple[str, ...]] = ("opencv-python-headless", "onnxruntime", "av")

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._settings: FacesSettings = context.profile.faces

    @classmethod
    def weights(cls, profile: Base) -> Weights | None:
        """A folder."""
        own: FacesSettings = profile.faces
        return own.weights

    @classmethod
    def uses_weights(cls, profile: Base) -> bool:
        """Always."""
        return True

    @classmethod
    def prompt_line(cls, records: Sequence[Face]) -> str:
        """How many faces at once; estimated ages only if the profile asked for that."""
        most = at_once(records)
        if not most:
            return ""
        ages = [one.age_years for one in people(records) if one.age_told and one.age_years]
        told = ", ".join(f"about {age:.0f}" for age in ages[:TOLD_AT_MOST])
        said = f" (a small model's estimates of ages in years: {told})" if told else ""
        return f"Faces at once: {most}{said}"

    @classmethod
    def view(cls, records: Sequence[Face]) -> str:
        """How many at once, and estimated ages with their spread."""
        most = at_once(records)
        if not most:
            return ""
        ages = [_age(one) for one in people(records) if one.age_years is not None]
        more = ", …" if len(ages) > TOLD_AT_MOST else ""
        shown = "; ".join(ages[:TOLD_AT_MOST])
        said = f"; ages estimated by a small model: {shown}{more}" if shown else ""
        return f"{most} at once{said}"

    @classmethod
    def labels(cls, records: Sequence[Face]) -> list[str]:
        """One, two or more at once."""
        return [_count(at_once(records))] if records else []

    @classmethod
    def scene_data(cls, records: Sequence[Face]) -> dict[str, Any]:
        """Each face that was followed, and each sight of one."""
        return {"people": people(records), "faces": list(records)}

    @classmethod
    def exported_data(cls, records: Sequence[Face]) -> dict[str, Any]:
        """The same."""
        return {cls.name: cls.scene_data(records)}

    @classmethod
    def marks(cls, records: Sequence[Face]) -> Sequence[Mark]:
        """Stretches with a number of faces, the higher the more."""
        most = at_once(records)
        return [
            Mark(start_s, end_s, _count(count), level=count / most)
            for start_s, end_s, count in stretches(records)
        ]

    @classmethod
    def boxes(cls, records: Sequence[Face]) -> Sequence[Box]:
        """Each face with its number."""
        return [Box(face.time_s, face.box, f"face {face.track + 1}") for face in records]

    @classmethod
    def figures(cls, records: Sequence[Face]) -> Mapping[str, str]:
        """How many at once, and for how long any."""
        if not records:
            return {"Faces": "none"}
        shown_s = sum(end_s - start_s for start_s, end_s, _ in stretches(records))
        return {
            "Faces at once": f"{at_once(records)} at most",
            "Time with faces": formats.length(shown_s),
        }

    def frames_per_second(self) -> float:
        """As the profile says."""
        return self._settings.frames_per_second

    @classmethod
    def load(cls, settings: FacesSettings, weights: Path, device: str) -> Nets:
        """The networks that the settings need."""
        return Nets(
            detector=Detector(weights / "detector.tflite", settings.min_score),
            mesh=Mesh(weights / "mesh.tflite"),
            iris=Iris(weights / "iris.tflite") if settings.iris else None,
            age=Age(weights / "age.onnx") if settings.ages != "none" else None,
        )

    def run(self) -> Iterator[Face]:
        """Yield the faces of each frame; scenes are assigned later."""
        tracks = Tracks()
        for frame in self.frames:
            yield from self._faces(frame, tracks)
            self.context.progress(round(frame.time_s), round(self.context.facts.duration_s))

    def _faces(self, frame: Frame, tracks: Tracks) -> Iterator[Face]:
        nets: Nets = self.model
        image = frame.image(longest_px=self._settings.image_px, colour="bgr24")
        height, width = image.shape[:2]
        found = nets.detector.find(image)
        kept = found[: self._settings.max_faces]
        meshes = [nets.mesh.points(image, face) for face in kept]
        poses = [None if points is None else pose(points) for points in meshes]
        ages = _ages(nets.age, image, kept, meshes, poses)
        numbers = tracks.numbers(frame.time_s, [face.box for face in kept])
        for face, points, turned, age, number in zip(
            kept, meshes, poses, ages, numbers, strict=True
        ):
            left, top, right, bottom = (float(one) for one in face.box)
            yield Face(
                scene=-1,
                time_s=frame.time_s,
                track=number,
                box=(left / width, top / height, right / width, bottom / height),
                score=face.score,
                width_px=right - left,
                in_frame=len(found),
                yaw_deg=turned and turned.yaw_deg,
                pitch_deg=turned and turned.pitch_deg,
                roll_deg=turned and turned.roll_deg,
                eyes=None if points is None else eyes(points, image, nets.iris),
                age_years=age,
                age_told=self._settings.ages == "told",
            )


def _ages(
    model: Age | None,
    image: np.ndarray,
    faces: Sequence[Found],
    meshes: Sequence[np.ndarray | None],
    poses: Sequence[Pose | None],
) -> list[float | None]:
    """The age of each face; None for those that are too small or turned away."""
    ages: list[float | None] = [None] * len(faces)
    if model is None:
        return ages
    good = [
        number
        for number, (face, turned) in enumerate(zip(faces, poses, strict=True))
        if turned is not None
        and face.box[2] - face.box[0] >= AGE_MIN_PX
        and abs(turned.yaw_deg) < AGE_MAX_YAW_DEG
    ]
    points = [mesh for number in good if (mesh := meshes[number]) is not None]
    for number, years in zip(good, model.years(image, points), strict=True):
        ages[number] = years
    return ages


def _age(person: Person) -> str:
    """An estimate as a page shows it, with its spread over the frames."""
    low, high = person.age_lowest_years or 0.0, person.age_highest_years or 0.0
    spread = f" ({low:.0f} to {high:.0f})" if round(low) != round(high) else ""
    return f"face {person.track + 1} about {person.age_years:.0f}{spread}"


def _count(number: int) -> str:
    if number > 2:
        return "3 or more faces"
    return "1 face" if number == 1 else f"{number} faces"
