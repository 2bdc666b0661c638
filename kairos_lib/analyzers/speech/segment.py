"""A stretch of transcribed speech."""

from __future__ import annotations

from kairos_lib.runs.record import Record


class Segment(Record):
    """A stretch of transcribed speech, assigned to the scene it overlaps most."""

    scene: int
    start_s: float
    end_s: float
    text: str
