"""The run of a model on a video: its location, and what its key is made of."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from kairos_lib.errors import KairosError
from kairos_lib.launch.kernels import python_of, variables_of
from kairos_lib.measure.devices import device_name
from kairos_lib.measure.provenance import key_versions
from kairos_lib.parameters.model import Model
from kairos_lib.parameters.video import Video
from kairos_lib.project import Project
from kairos_lib.runs.notebook_code import notebook_hash
from kairos_lib.runs.run import Run
from kairos_lib.vlm import engine
from kairos_lib.vlm.adapter import find_family
from kairos_lib.weights.location import find

NOTEBOOK = "vlm.ipynb"
FITTING_BATCH = "batch_size.json"
"""Beside the rounds of a key, which is of one model, video and device."""
# What a model's numbers do not depend on.
NOT_IN_KEY = ("name", "title", "timeout_s", "base", "events", "kernel")
NOT_IN_KEY_OF_SERVERS = frozenset({"attempts", "timeout_s", "key_name", "asked_for_usage"})


def vlm_run(project: Project, base: Run, video: Video, model: Model, repeat: int) -> Run:
    """The run of a model on a video: its folder and what its key is made of."""
    key_inputs = {
        "base": base.key,
        "parameters": model.model_dump(mode="json", exclude=not_in_key(model)),
        "family": find_family(model.family).version,
        "engine": engine.VERSION,
        "weights": find(project, model.weights).identity,
        "notebook": notebook_hash(project.notebooks / NOTEBOOK),
        "versions": key_versions(python_of(model.kernel)),
        "device": device_of(model),
    }
    run = Run(Path(), key_inputs)
    folder = project.runs / "vlm" / model.name / video.name / run.key / f"r{repeat:03d}"
    return Run(folder, key_inputs)


def given(model: Model) -> dict[str, Any]:
    """The parameters that a model's file or a suite gave; all others are by default."""
    return model.model_dump(mode="json", exclude_unset=True, exclude=not_in_key(model))


def not_in_key(model: Model) -> dict[str, Any]:
    """What of a model's parameters its answers do not depend on."""
    excluded: dict[str, Any] = dict.fromkeys(NOT_IN_KEY, True)
    of_server = model.weights.source == "server"
    excluded["server"] = set(NOT_IN_KEY_OF_SERVERS) if of_server else True
    if model.weights.source == "path":
        # The content at the path is in the key; the same content elsewhere is the same model.
        excluded["weights"] = {"id"}
    return excluded


def missing_key(model: Model) -> str:
    """The environment variable for a server's key that a model needs and that is not set."""
    wanted = model.server.key_name if model.weights.source == "server" else None
    return wanted if wanted and not os.environ.get(wanted, "").strip() else ""


def destination(model: Model) -> str:
    """Where a model's frames are sent, and with which key; empty if they stay here."""
    if model.weights.source != "server":
        return ""
    from kairos_lib.vlm.families import openai

    return openai.destination(model)


def device_of(model: Model) -> str:
    """The device that a model runs on, here or elsewhere.

    Raises:
        KairosError: Its GPU is not available here.
    """
    if model.weights.source != "server":
        try:
            return device_name(model.device, variables_of(model.kernel))
        except KairosError as error:
            raise KairosError(f"model {model.name}: {error}") from error
    from kairos_lib.vlm.families.openai import place

    return f"server {place(model)}"
