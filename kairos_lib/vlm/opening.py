"""A model's weights, found and loaded, for whatever it is to be asked."""

from __future__ import annotations

import time
from pathlib import Path

from kairos_lib.errors import KairosError
from kairos_lib.parameters.loading import fetching
from kairos_lib.parameters.model import Model
from kairos_lib.project import Project
from kairos_lib.vlm.adapter import Adapter, find_family
from kairos_lib.weights.location import Found


def weights_here(project: Project, model: Model, found: Found) -> Path:
    """Where a model's weights are.

    Raises:
        KairosError: They are not on this machine; the message says how to get them.
    """
    if found.path is None:
        raise KairosError(
            f"the weights of {model.name} are not here: {found.missing}; "
            f"{fetching(project, model.weights)}"
        )
    return found.path


def loaded(model: Model, weights: Path) -> tuple[Adapter, float]:
    """A model on its device, and the seconds that loading took.

    Raises:
        KairosError: It cannot be loaded.
    """
    started = time.perf_counter()
    adapter = find_family(model.family)(model, weights)
    adapter.load()
    adapter.synchronise()
    return adapter, time.perf_counter() - started
