"""Events as they are written to disk, and read from other people's files."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from kairos_lib.runs.record import Record

Visibility = Literal["visible", "not shown"]
"""Of an event of the ground truth: whether the camera shows it, in SoccerNet's words."""


class Event(Record):
    """Something that happens at a moment of a video, predicted or true."""

    label: str
    time_s: float = Field(ge=0, allow_inf_nan=False)
    end_s: float | None = None
    """Of an event that lasts; none of one that is a moment."""
    confidence: float = Field(1.0, ge=0, le=1)
    """Of a prediction; 1 of the ground truth."""
    team: str = ""
    details: str = ""
    visibility: Visibility = "visible"
