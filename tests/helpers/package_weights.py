"""Weights that `make fetch BASE=packages` has brought, for tests that skip without them."""

from __future__ import annotations

import os
from pathlib import Path

from helpers.projects import CHECKOUT
from kairos_lib.weights.location import downloads

CLIPS = CHECKOUT.parent / "shared" / "clips"
"""Real pictures and sounds, where they are at hand."""


def fetched(name: str, variable: str) -> Path:
    """A folder of weights; one that does not exist if they are not here.

    Args:
        name: What the profile `packages` calls it.
        variable: Environment variable that names another folder.
    """
    if given := os.environ.get(variable):
        return Path(given)
    return max((downloads() / "packages").glob(f"{name}-*"), default=Path("none"))
