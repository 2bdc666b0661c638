"""Speech: what is said and when, by faster-whisper over the spans that have a voice in them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from kairos_lib.media import audio
from kairos_lib.records import Segment, Span
from kairos_lib.runs import Journal
from kairos_lib.settings import Base, Weights
from kairos_lib.stages.stage import Device, Stage

# Spans are handed over in groups of at most this length, so that memory does not grow with the
# video. A longer span is a group of its own.
GROUP_S = 600.0


class Analyzer(Stage):
    """Transcribes one speech span at a time, without the text before it as a prompt.

    Whisper is known to loop and to invent text over music and silence; it is shown neither.
    """

    name: ClassVar[str] = "speech"
    version: ClassVar[int] = 1
    record: ClassVar[type[Segment]] = Segment
    needs: ClassVar[tuple[str, ...]] = ("audio", "vad")
    placed: ClassVar[bool] = True
    packages: ClassVar[tuple[str, ...]] = ("faster-whisper", "ctranslate2")
    device: Device = "gpu"
    memory_mib: int = 1500

    @classmethod
    def weights(cls, profile: Base) -> Weights | None:
        """A CTranslate2 folder."""
        return profile.speech.weights

    @classmethod
    def uses_weights(cls, profile: Base) -> bool:
        """The local engine does."""
        return profile.speech.engine == "faster-whisper"

    def skip(self) -> str:
        """Not asked for, or nothing to hear."""
        if self.context.profile.speech.engine == "none":
            return "the base profile says speech.engine: none"
        return "" if self.context.facts.audio_streams else "the video has no audio stream"

    def run(self) -> Iterator[Segment]:
        """Transcribe group by group."""
        spans = list(Journal(self.context.folder / "vad.jsonl", Span))
        if not spans:
            return
        import ctranslate2
        from faster_whisper import WhisperModel

        settings = self.context.profile.speech
        gpu = ctranslate2.get_cuda_device_count() > 0
        model = WhisperModel(
            str(self.context.weights.path),
            device="cuda" if gpu else "cpu",
            compute_type="float16" if gpu else "int8",
        )
        wav = self.context.folder / "audio.wav"
        done = 0
        for group in _groups(spans):
            offset_s = group[0].start_s
            clips = [t - offset_s for span in group for t in (span.start_s, span.end_s)]
            segments, _ = model.transcribe(
                audio.read(wav, offset_s, group[-1].end_s),
                language=settings.language,
                beam_size=settings.beam_size,
                condition_on_previous_text=False,
                clip_timestamps=clips,
            )
            for segment in segments:
                start_s, end_s = segment.start + offset_s, segment.end + offset_s
                yield Segment(
                    scene=-1,
                    start_s=start_s,
                    end_s=end_s,
                    text=segment.text.strip(),
                )
            done += len(group)
            self.context.progress(done, len(spans))


def _groups(spans: list[Span]) -> Iterator[list[Span]]:
    group: list[Span] = []
    for span in spans:
        if group and span.end_s - group[0].start_s > GROUP_S:
            yield group
            group = []
        group.append(span)
    if group:
        yield group
