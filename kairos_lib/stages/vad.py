"""Voice activity: Silero's detector, run once; speech and sounds both use its spans."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from kairos_lib.media import audio
from kairos_lib.records import Span
from kairos_lib.speech import voice
from kairos_lib.stages.audio import WAV
from kairos_lib.stages.stage import Stage


class Analyzer(Stage):
    """Finds the stretches with a voice in them. The model comes inside faster-whisper."""

    name: ClassVar[str] = "vad"
    version: ClassVar[int] = 5
    record: ClassVar[type[Span]] = Span
    needs: ClassVar[tuple[str, ...]] = ("audio",)
    packages: ClassVar[tuple[str, ...]] = ("faster-whisper",)

    def skip(self) -> str:
        """Nothing to hear, nothing to find."""
        return self.silent()

    def prepare(self) -> None:
        """Importing the library takes longer than using it."""
        import faster_whisper.vad  # noqa: F401

    def run(self) -> Iterator[Span]:
        """Give the spans in order."""
        wav = self.context.folder / WAV
        if not wav.exists():
            return  # An audio stream without a single sample.
        for stretch in voice.spans(wav, self.context.profile.vad, self.context.progress):
            yield Span(
                start_s=stretch.first / audio.SAMPLE_RATE_HZ,
                end_s=stretch.last / audio.SAMPLE_RATE_HZ,
            )
