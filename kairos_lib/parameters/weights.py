"""Where a model's weights come from, as a parameter file says it."""

from __future__ import annotations

import re
from typing import Literal

from pydantic import model_validator

from kairos_lib.parameters.settings import NAME, Settings


class Weights(Settings):
    """Where a model's weights come from."""

    source: Literal["hub", "url", "path", "nano", "dummy", "server"]
    id: str
    """Hub repository, address of a single file, path (relative to the project), the name of a
    nano model, of dummy weights, which are random, a file of `parameters/architectures`, or what a
    server calls a model."""
    revision: str | None = None
    """Git revision on the hub. `null` takes the newest at the time of `make fetch`, whose
    commit is what the run records and is keyed by."""
    file: str | None = None
    """Single file of a hub repository, where not all of it is wanted."""
    sha256: str | None = None
    """Of the single file; required of what comes from a bare address."""

    @model_validator(mode="after")
    def _addresses_are_pinned(self) -> Weights:
        if self.source == "url" and not self.sha256:
            raise ValueError("weights from a bare address need their sha256")
        if self.source == "url" and not self.id.startswith(("https://", "http://")):
            raise ValueError("an address begins with https://")
        # A name is a stem, never a path: one with a slash must not leave the folder.
        if self.source == "dummy" and not re.fullmatch(NAME, self.id):
            raise ValueError("of dummy weights, it is the name of an architecture")
        return self
