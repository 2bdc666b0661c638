"""Has captions of the nano world judged by what its clips are known to show."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import TypeAdapter

from kairos_lib.nano.captions import score
from kairos_lib.nano.truth import ClipTruth
from kairos_lib.nano.world import KINDS, Scene
from kairos_lib.quality.synthetic_world import AttributeScores, TrueScene, World, register

SCENE = TypeAdapter(Scene)
"""Reads a scene as it comes back from JSON, and lets one be that never was there."""


def register_nano() -> None:
    """Register the nano world with `quality`, which knows none."""
    register(World(frozenset(KINDS), _read, _score))


def _read(content: bytes) -> Sequence[TrueScene]:
    truth = ClipTruth.model_validate_json(content)
    return [TrueScene(one.start_s, one.end_s, one.caption, one.scene) for one in truth.scenes]


def _score(text: str, drawn: Any) -> AttributeScores:
    return score(text, SCENE.validate_python(drawn))
