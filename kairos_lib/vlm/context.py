"""What base processing found in a scene, as a model's prompt and a fused record tell it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from kairos_lib.analyzers.analyzer import find, names
from kairos_lib.errors import KairosError, closest
from kairos_lib.parameters.model import Model, Prompt
from kairos_lib.pipeline.scene_analysis import SceneFindings, VideoFindings
from kairos_lib.vlm.records import Caption, FusedScene


def joined(instruction: str, lines: Iterable[str]) -> str:
    """Put what a model is told before what it is asked; empty lines are left out.

    Args:
        instruction: The question itself, from the model's parameters.
        lines: What it is told, one for each analyzer.

    Returns:
        The text of the user's turn, without image tags: those belong to the model's adapter.
    """
    return "\n".join([*filter(None, lines), instruction])


def prompt_of(found: SceneFindings, prompt: Prompt) -> str:
    """What a model is asked about a scene, told as much as its parameters allow."""
    return joined(
        prompt.instruction, (find(name).prompt_line(found.of(name)) for name in prompt.context)
    )


def check_context(model: Model) -> None:
    """See that a model is told of analyzers that have something to tell.

    Raises:
        KairosError: Its parameters name another.
    """
    for name in model.prompt.context:
        if name not in (known := names()):
            raise KairosError(
                f"model {model.name}, prompt.context: unknown analyzer '{name}': "
                f"{closest(name, known)}"
            )
        if not find(name).has_prompt_line():
            raise KairosError(
                f"model {model.name}, prompt.context: '{name}' has nothing to tell a model: "
                "leave it out"
            )


def longest_prompt(findings: VideoFindings, prompt: Prompt) -> str:
    """The longest of a video's prompts; the instruction alone where it has no scenes.

    In bytes: a character of some scripts is several, and as many tokens.
    """
    prompts = (prompt_of(found, prompt) for found in findings)
    return max(prompts, key=lambda one: len(one.encode()), default=prompt.instruction)


def fuse(
    found: SceneFindings, prompt: Prompt, caption: Caption, alone: Caption | None
) -> FusedScene:
    """All that is known of a scene."""
    told: dict[str, Any] = {}
    for kind, records in found.told:
        told |= kind.fused_data(records)
    return FusedScene(
        scene=found.scene,
        **told,
        prompt=prompt_of(found, prompt),
        caption=caption,
        single_stream=alone,
    )
