"""Slices: cuts the audio into one file for each scene."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from kairos_lib.analyzers.analyzer import Stage
from kairos_lib.analyzers.audio import WAV
from kairos_lib.media import audio
from kairos_lib.runs.record import Record

FOLDER = "audio"


class AudioSlice(Record):
    """One scene's audio."""

    scene: int
    file: str
    """Relative to the run's folder."""
    duration_s: float


class Analyzer(Stage):
    """Cuts audio by scene, for all stages that listen scene by scene."""

    name: ClassVar[str] = "slices"
    version: ClassVar[int] = 1
    record: ClassVar[type[AudioSlice]] = AudioSlice
    about_scenes: ClassVar[bool] = False
    needs: ClassVar[tuple[str, ...]] = ("scenes", "audio")
    files: ClassVar[tuple[str, ...]] = (FOLDER,)

    def skip(self) -> str:
        """There must be audio."""
        return self.silent()

    def run(self) -> Iterator[AudioSlice]:
        """Cut scene by scene."""
        folder = self.context.folder
        wav = folder / WAV
        if not wav.exists():
            return  # An audio stream without any samples.
        for scene in self.context.scenes():
            file = f"{FOLDER}/scene_{scene.index:04d}.wav"
            audio.cut(wav, scene.start_s, scene.end_s, folder / file)
            yield AudioSlice(
                scene=scene.index, file=file, duration_s=audio.duration_s(folder / file)
            )
