"""What base processing found in each scene, as a model's prompt and a fused record tell it."""

from __future__ import annotations

from collections import Counter, defaultdict
from pathlib import Path

from kairos_lib.records import Caption, Detection, FusedScene, Scene, Segment, SoundEvent
from kairos_lib.runs import Journal
from kairos_lib.settings import Prompt
from kairos_lib.vlm.prompts import SceneContext, scene_prompt

OBJECTS_LIMIT = 8
"""Labels a prompt names at most: a street can have dozens, few of them matter to its scene."""


class BaseFindings:
    """The results of one base run, by scene."""

    def __init__(self, folder: Path) -> None:
        self.scenes = list(Journal(folder / "scenes.jsonl", Scene))
        self._segments: dict[int, list[Segment]] = defaultdict(list)
        self._sounds: dict[int, list[SoundEvent]] = defaultdict(list)
        self._objects: dict[int, list[Detection]] = defaultdict(list)
        for segment in Journal(folder / "speech.jsonl", Segment):
            self._segments[segment.scene].append(segment)
        for sound in Journal(folder / "sounds.jsonl", SoundEvent):
            self._sounds[sound.scene].append(sound)
        for found in Journal(folder / "objects.jsonl", Detection):
            self._objects[found.scene].append(found)

    def transcript(self, scene: Scene) -> str:
        """What is said in a scene."""
        return " ".join(segment.text for segment in self._segments[scene.index])

    def prompt(self, scene: Scene, prompt: Prompt) -> str:
        """What a model is asked about a scene, told as much as its parameters allow."""
        told = SceneContext(
            transcript=self.transcript(scene) if "speech" in prompt.context else "",
            sounds=[s.label for s in self._sounds[scene.index]]
            if "sounds" in prompt.context
            else (),
            objects=self._counted(scene) if "objects" in prompt.context else (),
        )
        return scene_prompt(prompt.instruction, told)

    def fused(
        self, scene: Scene, prompt: Prompt, caption: Caption, alone: Caption | None
    ) -> FusedScene:
        """All that is known of a scene."""
        return FusedScene(
            scene=scene,
            transcript=self.transcript(scene),
            segments=tuple(self._segments[scene.index]),
            sounds=tuple(self._sounds[scene.index]),
            objects=tuple(self._objects[scene.index]),
            prompt=self.prompt(scene, prompt),
            caption=caption,
            single_stream=alone,
        )

    def _counted(self, scene: Scene) -> list[tuple[str, int]]:
        """Each label with the most seen in one frame; the most certain label first."""
        in_frame: Counter[tuple[float, str]] = Counter()
        best: dict[str, float] = {}
        for found in self._objects[scene.index]:
            in_frame[found.time_s, found.label] += 1
            best[found.label] = max(best.get(found.label, 0.0), found.score)
        most = {
            label: max(n for (_, name), n in in_frame.items() if name == label) for label in best
        }
        ranked = sorted(best, key=lambda label: -best[label])
        return [(label, most[label]) for label in ranked[:OBJECTS_LIMIT]]
