"""What every parameter file has in common."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict

NAME = r"[A-Za-z0-9][A-Za-z0-9._-]*"
"""What a name of a parameter file may be made of."""


class Settings(BaseModel):
    """A parameter file or a part of one: unknown keys are refused, values never change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ParameterFile(Settings):
    """What one file of a folder under `parameters/` may say."""

    folder: ClassVar[str]
    """Its name under `parameters/`."""
    name: str
    """The file's, without `.yaml`."""


Changes = dict[str, Any]
"""Some of a model's parameters, to take the place of its own; `name` and `title` included."""
