"""Common parts of all parameter files."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict

NAME = r"[A-Za-z0-9][A-Za-z0-9._-]*"
"""Valid characters of a parameter file's name."""


class Settings(BaseModel):
    """A parameter file or a part of one: unknown keys are refused, values never change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ParameterFile(Settings):
    """Contents of one file of a folder under `parameters/`."""

    called: ClassVar[str] = ""
    """What messages call such a file; its class's name where this is empty."""
    folder: ClassVar[str]
    """Name of its folder under `parameters/`."""
    name: str
    """Name of the file, without `.yaml`."""


Changes = dict[str, Any]
"""Overrides for some of a model's parameters; `name` and `title` included."""
