"""Limits of videos that are fetched by their address."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints

from kairos_lib.parameters.settings import Settings

Host = Annotated[
    str, StringConstraints(to_lower=True, pattern=r"^(\*\.)?[A-Za-z0-9][A-Za-z0-9.-]*$")
]
"""A host by its name, or `*.name` for all below it (the name itself not included)."""


class IngestLimits(Settings):
    """What may be fetched, and from where."""

    hosts: tuple[Host, ...] = ()
    """Hosts that may be asked, those that a page sends on to included; empty: any public host."""
    max_mib: int = Field(default=4096, ge=1)
    """Size of the file."""
    max_duration_s: float = Field(default=4 * 3600, gt=0)
    """Length of the video."""
    timeout_s: float = Field(default=3600, gt=0)
    """For one video, from the first request to the file that has been looked at."""
