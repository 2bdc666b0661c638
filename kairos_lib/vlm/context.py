"""Findings of base processing in a scene, for a model's prompt and for a fused record."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from kairos_lib.analyzers.analyzer import find, names
from kairos_lib.errors import KairosError, closest
from kairos_lib.parameters.model import Model, Prompt
from kairos_lib.pipeline.scene_analysis import SceneFindings, VideoFindings
from kairos_lib.vlm.records import Caption, FusedScene


def joined(instruction: str, lines: Iterable[str]) -> str:
    """Put the context lines before the question; empty lines are left out.

    Args:
        instruction: The question itself, from the model's parameters.
        lines: The context, one line for each analyzer.

    Returns:
        The text of the user's turn, without image tags: those belong to the model's adapter.
    """
    return "\n".join([*filter(None, lines), instruction])


def prompt_of(found: SceneFindings, prompt: Prompt) -> str:
    """The prompt for a scene, with as much context as the model's parameters allow."""
    return joined(
        prompt.instruction, (find(name).prompt_line(found.of(name)) for name in prompt.context)
    )


def check_context(model: Model) -> None:
    """Check that the analyzers in a model's context can contribute to a prompt.

    Raises:
        KairosError: Its parameters name one that is unknown or contributes nothing.
    """
    for name in model.prompt.context:
        if name not in (known := names()):
            raise KairosError(
                f"model {model.name}, prompt.context: unknown analyzer '{name}': "
                f"{closest(name, known)}"
            )
        if not find(name).has_prompt_line():
            raise KairosError(
                f"model {model.name}, prompt.context: '{name}' adds nothing to a prompt: "
                "leave it out"
            )


def longest_prompt(findings: VideoFindings, prompt: Prompt) -> str:
    """The longest of a video's prompts; only the instruction if it has no scenes.

    Measured in bytes: a character of some scripts is several bytes, and as many tokens.
    """
    prompts = (prompt_of(found, prompt) for found in findings)
    return max(prompts, key=lambda one: len(one.encode()), default=prompt.instruction)


def fuse(
    found: SceneFindings, prompt: Prompt, caption: Caption, alone: Caption | None
) -> FusedScene:
    """Combine all that is known of a scene."""
    fields: dict[str, Any] = {}
    for kind, records in found.by_analyzer:
        fields |= kind.fused_data(records)
    return FusedScene(
        scene=found.scene,
        **fields,
        prompt=prompt_of(found, prompt),
        caption=caption,
        single_stream=alone,
    )
