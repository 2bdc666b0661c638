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


def spoken_s(segments: Sequence[Segment]) -> float:
    """For how long somebody speaks; segments that overlap count once."""
    total_s, until_s = 0.0, 0.0
    for segment in in_order(segments):
        total_s += max(0.0, segment.end_s - max(until_s, segment.start_s))
        until_s = max(until_s, segment.end_s)
    return total_s
