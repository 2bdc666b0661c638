"""Faces as they are recorded, and what they sum up to: people, and how many at once."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Sequence

from kairos_lib.analyzers.marks import seen_until
from kairos_lib.runs.record import Record


class Eye(Record):
    """One eye, with what a gaze and blinks can be told from."""

    corners: tuple[float, float, float, float]
    """Left and right corner, x and y each, as shares of the frame's width and height."""
    openness: float
    """Distance of the lids as a share of the eye's width."""
    iris: tuple[float, float] | None = None
    """From the middle between the corners to that of the iris, along the eye to the picture's right
    and across it downwards, as shares of the eye's width; None unless `faces.iris` is on."""


class Face(Record):
    """A face seen in one frame."""

    scene: int
    time_s: float
    track: int
    """The same from frame to frame, as far as the boxes overlap."""
    box: tuple[float, float, float, float]
    """Left, top, right, bottom as shares of the frame's width and height."""
    score: float
    width_px: float
    """Width of the face in the picture as it was looked at, at most `faces.image_px` long."""
    in_frame: int
    """Faces in that frame, with those beyond `faces.max_faces`, which are not recorded."""
    yaw_deg: float | None = None
    """Positive where the nose points to the picture's right; None for a face too small to tell."""
    pitch_deg: float | None = None
    """Positive where it points up. It may be off by 15°."""
    roll_deg: float | None = None
    """Positive where the head leans clockwise in the picture."""
    eyes: tuple[Eye, Eye] | None = None
    """The picture's left one and its right one."""
    age_years: float | None = None
    """A small model's estimate from this frame alone, which may be decades off; None for a face
    that is too small or turned away."""
    age_told: bool = False
    """Whether prompts may say the estimate (`faces.ages: told`)."""


class Person(Record):
    """A face that was followed."""

    track: int
    first_s: float
    last_s: float
    frames: int
    largest: float
    """Largest share of the frame's area."""
    age_years: float | None
    """Median of a small model's estimates; None if no frame was good enough."""
    age_lowest_years: float | None
    age_highest_years: float | None
    age_frames: int
    """Frames with an estimate."""
    age_told: bool


def people(faces: Sequence[Face]) -> list[Person]:
    """Sum up faces by their tracks, in the order of their numbers."""
    tracks: dict[int, list[Face]] = defaultdict(list)
    for face in faces:
        tracks[face.track].append(face)
    return [_person(track, tracks[track]) for track in sorted(tracks)]


def _person(track: int, seen: Sequence[Face]) -> Person:
    ages = [face.age_years for face in seen if face.age_years is not None]
    return Person(
        track=track,
        first_s=min(face.time_s for face in seen),
        last_s=max(face.time_s for face in seen),
        frames=len(seen),
        largest=max(area(face.box) for face in seen),
        age_years=statistics.median(ages) if ages else None,
        age_lowest_years=min(ages, default=None),
        age_highest_years=max(ages, default=None),
        age_frames=len(ages),
        age_told=any(face.age_told for face in seen),
    )


def area(box: tuple[float, float, float, float]) -> float:
    """Share of the frame's area."""
    left, top, right, bottom = box
    return max(0.0, right - left) * max(0.0, bottom - top)


def at_once(faces: Sequence[Face]) -> int:
    """The most faces in any one frame."""
    return max((face.in_frame for face in faces), default=0)


def by_frame(faces: Sequence[Face]) -> list[tuple[float, int]]:
    """Times of the frames with faces, in order, and how many each has."""
    return sorted({face.time_s: face.in_frame for face in faces}.items())


def stretches(faces: Sequence[Face]) -> list[tuple[float, float, int]]:
    """Start, end and number of faces of each stretch in which that number stays."""
    frames = by_frame(faces)
    found: list[tuple[float, float, int]] = []
    for (time_s, count), end_s in zip(
        frames, seen_until([at_s for at_s, _ in frames]), strict=True
    ):
        if found and found[-1][2] == count and time_s <= found[-1][1]:
            found[-1] = (found[-1][0], end_s, count)
        else:
            found.append((time_s, end_s, count))
    return found
