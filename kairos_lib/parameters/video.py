"""Schema of a file in `parameters/videos`."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from pydantic import model_validator

from kairos_lib.parameters.settings import ParameterFile


class Video(ParameterFile):
    """One video to describe."""

    folder: ClassVar[str] = "videos"
    path: Path
    title: str
    description: str = ""
    truth: Path | None = None
    """JSON file beside a synthetic clip that records what is really in it."""
    references: Path | None = None
    """JSON file of captions that people wrote: a list of `{start_s, end_s, captions: [...]}`. The
    report compares the models' captions with them; no run depends on it."""

    synthetic: bool = False
    """Whether a program drew it; one with a `truth` always is."""
    events: Path | None = None
    """What really happens in it: SoccerNet's `Labels-v2.json` or CSV (`label,time_s`). Event
    spotting is scored against it; no run depends on it."""

    @property
    def drawn(self) -> bool:
        """Whether a program drew it: results on it say nothing about real footage."""
        return self.synthetic or self.truth is not None

    @model_validator(mode="after")
    def _one_source(self) -> Video:
        if self.truth is not None and self.references is not None:
            raise ValueError("a synthetic clip's truth has its reference captions: leave one out")
        return self
