"""Scores the nano AST on unseen clips, through the sounds stage and all that comes before it.

A scene's sounds are those heard in it for half a second or more, without speech, which is cut out
before and scored with the transcript. The sounds said of it are those of the stage, likewise
without speech. `silence` stands for no sound at all.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from kairos_lib.analyzers.sounds import SoundEvent
from workshop.nano.scoring import Line
from workshop.nano.unseen import Processed

_NO_SOUNDS = {"speech", "silence"}


def lines(clips: Sequence[Processed]) -> list[Line]:
    """How many scenes have just the right sounds, and how many the right one at first."""
    scenes = exact = tops = top_right = said_count = true_count = shared = 0
    for clip in clips:
        events: dict[int, list[SoundEvent]] = defaultdict(list)
        for event in clip.found("sounds", SoundEvent):
            events[event.scene].append(event)
        for scene in clip.truth.scenes:
            ranked = [e.label for e in events[clip.scene_at(scene)] if e.label != "speech"]
            said, true = set(ranked) - _NO_SOUNDS, set(scene.sounds) - _NO_SOUNDS
            scenes += 1
            exact += said == true
            said_count += len(said)
            true_count += len(true)
            shared += len(said & true)
            # A scene that is all speech has nothing left to be named.
            if ranked:
                tops += 1
                top_right += ranked[0] in (true or {"silence"})
    return [
        Line("ast", "scenes with just the right sounds", exact / scenes, 0.9, f"{scenes} scenes"),
        Line("ast", "first sound right", top_right / max(tops, 1), 0.9, f"{tops} scenes"),
        Line(
            "ast",
            "sounds said that are heard",
            shared / max(said_count, 1),
            None,
            f"{said_count} said",
        ),
        Line(
            "ast",
            "sounds heard that are said",
            shared / max(true_count, 1),
            None,
            f"{true_count} heard",
        ),
    ]
