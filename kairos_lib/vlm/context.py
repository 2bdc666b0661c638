"""What base processing found in a scene, as a model's prompt and a fused record tell it."""

from __future__ import annotations

from kairos_lib.parameters.model import Prompt
from kairos_lib.pipeline.scene_analysis import BaseFindings, SceneFindings
from kairos_lib.vlm.prompts import SceneContext, scene_prompt
from kairos_lib.vlm.records import Caption, FusedScene

OBJECTS_LIMIT = 8
"""Labels a prompt names at most: a street can have dozens, few of them matter to its scene."""


def prompt_of(found: SceneFindings, prompt: Prompt) -> str:
    """What a model is asked about a scene, told as much as its parameters allow."""
    objects = [(one.label, one.count) for one in found.objects[:OBJECTS_LIMIT]]
    told = SceneContext(
        transcript=found.transcript if "speech" in prompt.context else "",
        sounds=[sound.label for sound in found.sounds] if "sounds" in prompt.context else (),
        objects=objects if "objects" in prompt.context else (),
    )
    return scene_prompt(prompt.instruction, told)


def longest_prompt(findings: BaseFindings, prompt: Prompt) -> str:
    """The longest of a video's prompts; the instruction alone where it has no scenes.

    In bytes: a character of some scripts is several, and as many tokens.
    """
    prompts = (prompt_of(found, prompt) for found in findings)
    return max(prompts, key=lambda one: len(one.encode()), default=prompt.instruction)


def fuse(
    found: SceneFindings, prompt: Prompt, caption: Caption, alone: Caption | None
) -> FusedScene:
    """All that is known of a scene."""
    return FusedScene(
        scene=found.scene,
        transcript=found.transcript,
        segments=found.segments,
        sounds=found.sounds,
        objects=found.detections,
        prompt=prompt_of(found, prompt),
        caption=caption,
        single_stream=alone,
    )
