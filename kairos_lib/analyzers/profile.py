"""A profile of base processing: which analyzers run, and their settings."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field, model_validator

from kairos_lib.analyzers.audio import AudioSettings
from kairos_lib.analyzers.objects import ObjectsSettings
from kairos_lib.analyzers.scenes import ScenesSettings
from kairos_lib.analyzers.sounds import SoundsSettings
from kairos_lib.analyzers.speech.settings import SpeechSettings
from kairos_lib.analyzers.vad import VadSettings
from kairos_lib.parameters.settings import ParameterFile


class Base(ParameterFile):
    """A profile of base processing."""

    folder: ClassVar[str] = "base"
    title: str
    stages: tuple[str, ...] = ("scenes", "speech", "sounds", "objects")
    """Analyzers to run: files in `kairos_lib/stages/`. What they need is added."""
    device_memory_mib: int = Field(8000, ge=1)
    """What stages that run at once may hold of a GPU's memory, going by what each declares."""
    scenes: ScenesSettings = ScenesSettings()
    audio: AudioSettings = AudioSettings()
    vad: VadSettings = VadSettings()
    speech: SpeechSettings = SpeechSettings()
    sounds: SoundsSettings = SoundsSettings()
    objects: ObjectsSettings = ObjectsSettings()
    timeout_s: float = Field(6 * 3600.0, gt=0)

    @model_validator(mode="after")
    def _finds_what_is_there(self) -> Base:
        for part in (self.speech, self.sounds, self.objects):
            if part.weights is not None and part.weights.source in ("dummy", "server"):
                raise ValueError(f"weights of source {part.weights.source} are for models alone")
        return self
