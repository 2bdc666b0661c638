"""Which loaded model a stage wants, and loading those of several stages before any video comes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from kairos_lib.analyzers.analyzer import Stage
from kairos_lib.analyzers.profile import Base
from kairos_lib.pipeline.pool import Key, Pool
from kairos_lib.weights.location import Found


def model_key(stage: type[Stage], profile: Base, found: Found, device: str) -> Key:
    """What identifies the model of a stage.

    Args:
        stage: One that uses weights.
        profile: With its settings.
        found: Its weights.
        device: `cpu`, `cuda` or `cuda:1`.
    """
    settings = getattr(profile, stage.name)
    wanted = settings.model_dump_json(include=set(stage.load_settings))
    return Key(stage.name, wanted, found.identity, device)


def warm(
    pool: Pool,
    stages: Iterable[type[Stage]],
    profile: Base,
    weights: Mapping[str, Found],
    device: str,
) -> list[str]:
    """Load the models of stages into a pool, as far as their weights are here.

    Returns:
        The stages whose models are loaded now.
    """
    loaded = []
    for stage in stages:
        found = weights.get(stage.name)
        if found is None or found.path is None:
            continue
        path, settings = found.path, getattr(profile, stage.name)

        def load(stage: type[Stage] = stage, settings: Any = settings, path: Any = path) -> Any:
            return stage.load(settings, path, device)

        with pool.using(model_key(stage, profile, found, device), stage.memory_mib, load):
            loaded.append(stage.name)
    return loaded
