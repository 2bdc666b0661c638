"""Prompts about scenes that nobody has looked at: made as those of real ones are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from kairos_lib.analyzers import objects, sounds, speech
from kairos_lib.analyzers.objects import Detection
from kairos_lib.analyzers.sounds import SoundEvent
from kairos_lib.analyzers.speech.segment import Segment
from kairos_lib.vlm.context import joined

WHOLE = (0.0, 0.0, 1.0, 1.0)


class SceneContext(NamedTuple):
    """What base processing could have found in a scene."""

    transcript: str = ""
    sounds: Sequence[str] = ()
    objects: Sequence[tuple[str, int]] = ()
    """Label and the largest number seen at once, most certain first."""


def scene_prompt(instruction: str, context: SceneContext) -> str:
    """Put the context of a scene before the instruction, one line for each kind there is."""
    said = [Segment(scene=0, start_s=0.0, end_s=1.0, text=context.transcript)]
    heard = [SoundEvent(scene=0, label=label, score=1.0) for label in context.sounds]
    seen = [
        Detection(scene=0, time_s=0.0, label=label, score=1.0 - place / 1000, box=WHOLE)
        for place, (label, count) in enumerate(context.objects)
        for _ in range(count)
    ]
    lines = (
        speech.Analyzer.prompt_line(said),
        sounds.Analyzer.prompt_line(heard),
        objects.Analyzer.prompt_line(seen),
    )
    return joined(instruction, lines)
