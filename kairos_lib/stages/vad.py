"""Voice activity: Silero's detector, run once; speech and sounds both use its spans."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from kairos_lib.media import audio
from kairos_lib.records import Span
from kairos_lib.stages.audio import WAV
from kairos_lib.stages.stage import Stage

# A minute takes some 60 MB while Silero looks at it. It knows nothing of the block before, so
# a block begins a little earlier, and spans that touch or overlap are joined.
BLOCK_S = 60.0
OVERLAP_S = 2.0


class Analyzer(Stage):
    """Finds the stretches with a voice in them. The model comes inside faster-whisper."""

    name: ClassVar[str] = "vad"
    version: ClassVar[int] = 3
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
        held: Span | None = None
        for span in self._spans():
            if held is not None and span.start_s <= held.end_s:
                held = Span(
                    start_s=min(held.start_s, span.start_s), end_s=max(held.end_s, span.end_s)
                )
                continue
            if held is not None:
                yield held
            held = span
        if held is not None:
            yield held

    def _spans(self) -> Iterator[Span]:
        from faster_whisper.vad import VadOptions, get_speech_timestamps

        settings = self.context.profile.vad
        options = VadOptions(
            threshold=settings.threshold,
            min_silence_duration_ms=round(settings.min_silence_s * 1000),
            speech_pad_ms=round(settings.pad_s * 1000),
        )
        wav = self.context.folder / WAV
        if not wav.exists():
            return  # An audio stream without a single sample.
        length_s = audio.duration_s(wav)
        start_s = 0.0
        while start_s < length_s:
            end_s = min(length_s, start_s + BLOCK_S)
            from_s = max(0.0, start_s - OVERLAP_S)
            samples = audio.read(wav, from_s, end_s)
            for found in get_speech_timestamps(samples, options):
                yield Span(
                    start_s=from_s + found["start"] / audio.SAMPLE_RATE_HZ,
                    end_s=min(end_s, from_s + found["end"] / audio.SAMPLE_RATE_HZ),
                )
            start_s = end_s
            self.context.progress(round(end_s), round(length_s))
