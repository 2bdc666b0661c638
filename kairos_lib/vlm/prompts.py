"""What a model is asked about one scene. Knows nothing of models, tokens or images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

# A transcript can be far longer than a scene's caption needs; 400 characters are about 100
# tokens, which keeps the prompts of talkative scenes within a quarter of their visual tokens.
TRANSCRIPT_LIMIT_CHARS = 400


class SceneContext(NamedTuple):
    """What base processing found in one scene, in the words the prompt will use."""

    transcript: str = ""
    sounds: Sequence[str] = ()
    objects: Sequence[tuple[str, int]] = ()
    """Label and the largest number seen at once, most certain first."""


def scene_prompt(instruction: str, context: SceneContext) -> str:
    """Put the context of a scene before the instruction, one line for each kind there is.

    Args:
        instruction: The question itself, from the model's parameters.
        context: What to tell the model; empty parts leave no line behind.

    Returns:
        The text of the user's turn, without image tags: those belong to the model's adapter.
    """
    lines = []
    transcript = " ".join(context.transcript.split())
    if transcript:
        if len(transcript) > TRANSCRIPT_LIMIT_CHARS:
            transcript = transcript[:TRANSCRIPT_LIMIT_CHARS].rsplit(" ", 1)[0] + " ..."
        lines.append(f"Speech: {transcript}")
    if context.sounds:
        lines.append("Sounds: " + ", ".join(context.sounds))
    if context.objects:
        named = (label if count == 1 else f"{count} x {label}" for label, count in context.objects)
        lines.append("Objects: " + ", ".join(named))
    lines.append(instruction)
    return "\n".join(lines)
