"""Where a model's weights come from, as given in a parameter file."""

from __future__ import annotations

import re
from typing import Literal

from pydantic import model_validator

from kairos_lib.parameters.settings import NAME, Settings


class Weights(Settings):
    """Where a model's weights come from."""

    source: Literal["hub", "url", "path", "nano", "dummy", "server"]
    id: str
    """Hub repository, address of a single file, path (relative to the project), name of a nano
    model, name of a file in `parameters/architectures` for random dummy weights, or a server's name
    for a model."""
    revision: str | None = None
    """Git revision on the hub. `null` takes the newest at the time of `make fetch`; that commit is
    recorded by runs and is part of their key."""
    file: str | None = None
    """Single file of a hub repository, if not all of it is needed."""
    sha256: str | None = None
    """Hash of the single file; required for a bare address."""

    @model_validator(mode="after")
    def _addresses_are_pinned(self) -> Weights:
        if self.source == "url" and not self.sha256:
            raise ValueError("weights from a bare address need their sha256")
        if self.source == "url" and not self.id.startswith(("https://", "http://")):
            raise ValueError("an address begins with https://")
        # A name is a stem, never a path: one with a slash must not leave the folder.
        if self.source == "dummy" and not re.fullmatch(NAME, self.id):
            raise ValueError("for dummy weights, it is the name of an architecture")
        return self
