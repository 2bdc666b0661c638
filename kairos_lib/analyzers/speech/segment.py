"""A part of transcribed speech."""

from __future__ import annotations

from collections.abc import Sequence

from kairos_lib.runs.record import Record


class Segment(Record):
    """A part of transcribed speech, assigned to the scene it overlaps most."""

    scene: int
    start_s: float
    end_s: float
    text: str


def in_order(segments: Sequence[Segment]) -> tuple[Segment, ...]:
    """A scene's segments, in order of their start."""
    return tuple(sorted(segments, key=lambda segment: segment.start_s))


def transcript(segments: Sequence[Segment]) -> str:
    """The text spoken in a scene."""
    return " ".join(segment.text for segment in in_order(segments))
