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

    @model_validator(mode="after")
    def _one_source(self) -> Video:
        if self.truth is not None and self.references is not None:
            raise ValueError("a synthetic clip's truth has its reference captions: leave one out")
        return self
