"""Audio: decodes all of it once, as 16 kHz mono."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from pydantic import Field

from kairos_lib.analyzers.analyzer import Stage
from kairos_lib.media import audio
from kairos_lib.parameters.settings import Settings
from kairos_lib.runs.record import Record


class AudioSettings(Settings):
    """Which of a video's audio streams is used."""

    stream: int | None = Field(None, ge=0)
    """Its index among the audio streams, from 0; `null` takes the file's default one."""


WAV = "audio.wav"


class AudioTrack(Record):
    """The audio of a video."""

    file: str
    """Relative to the run's folder."""
    duration_s: float
    broken: int = 0
    """Number of its packets that could not be decoded."""


class Analyzer(Stage):
    """Decodes audio once, for all stages that listen."""

    name: ClassVar[str] = "audio"
    version: ClassVar[int] = 3
    record: ClassVar[type[AudioTrack]] = AudioTrack
    settings: ClassVar[type[Settings]] = AudioSettings
    files: ClassVar[tuple[str, ...]] = (WAV,)
    packages: ClassVar[tuple[str, ...]] = ("av",)

    def skip(self) -> str:
        """A silent film is normal."""
        return self.silent()

    def run(self) -> Iterator[AudioTrack]:
        """Yield the track, if there is any audio in it."""
        wav = self.context.folder / WAV
        stream = self.context.profile.audio.stream
        sound = audio.extract(self.context.video, wav, stream, self.context.facts)
        if sound is not None:
            yield AudioTrack(file=WAV, duration_s=sound.duration_s, broken=sound.broken)
