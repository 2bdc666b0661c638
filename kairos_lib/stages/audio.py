"""Audio: the whole of it once as 16 kHz mono, and each scene's share as a file of its own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from kairos_lib.media import audio
from kairos_lib.records import Record
from kairos_lib.stages.stage import Stage


class AudioSlice(Record):
    """One scene's sound."""

    scene: int
    file: str
    """Relative to the run's folder."""
    duration_s: float


class Analyzer(Stage):
    """Cuts audio once, for all that listen."""

    name: ClassVar[str] = "audio"
    version: ClassVar[int] = 1
    record: ClassVar[type[AudioSlice]] = AudioSlice
    needs: ClassVar[tuple[str, ...]] = ("scenes",)

    def skip(self) -> str:
        """A silent film is a normal film."""
        return "" if self.context.facts.audio_streams else "the video has no audio stream"

    def run(self) -> Iterator[AudioSlice]:
        """Extract the whole, then cut it at the scenes."""
        folder = self.context.folder
        wav = folder / "audio.wav"
        scenes = self.context.scenes()
        if not audio.extract(self.context.video, wav, until_s=scenes[-1].end_s):
            return
        for scene in scenes:
            piece = folder / "audio" / f"scene_{scene.index:04d}.wav"
            audio.cut(wav, scene.start_s, scene.end_s, piece)
            yield AudioSlice(
                scene=scene.index,
                file=str(piece.relative_to(folder)),
                duration_s=audio.duration_s(piece),
            )
