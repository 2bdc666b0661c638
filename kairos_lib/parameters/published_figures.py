"""Schema of a file in `parameters/reference/`: published figures of another machine."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from kairos_lib.parameters.settings import ParameterFile, Settings


class PublishedRun(Settings):
    """Published figures for one model and one video."""

    model: str
    """The same model in Kairos: a file of `parameters/models`."""
    video: str
    """The same video in Kairos: a file of `parameters/videos`."""
    length_s: float = Field(gt=0)
    scenes: int = Field(ge=1)
    vlm_time_min: float = Field(gt=0)
    rtf: float = Field(gt=0)
    """As published, which can differ from time divided by length in its last digit."""


class PublishedStages(Settings):
    """Published figures for the base processing of one video."""

    video: str
    length_s: float = Field(gt=0)
    total_min: float = Field(gt=0)
    speech_min: float = Field(gt=0)
    sounds_min: float = Field(gt=0)
    objects_min: float = Field(gt=0)


class PublishedFigures(ParameterFile):
    """Published figures of one machine."""

    folder: ClassVar[str] = "reference"
    title: str
    source: str
    """Where they were published."""
    machine: str
    software: str
    conditions: str = ""
    """What else a reader must know to compare them."""
    runs: tuple[PublishedRun, ...] = ()
    stages: tuple[PublishedStages, ...] = ()
