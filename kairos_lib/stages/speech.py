"""Speech: what is said and when, by the engine that the base profile names."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Literal

from kairos_lib.records import Segment, Span
from kairos_lib.runs import Journal
from kairos_lib.settings import Base, Weights
from kairos_lib.speech.engine import Setup, find
from kairos_lib.stages.stage import Context, Stage, scene_of


class Analyzer(Stage):
    """Hands the spans that have a voice in them to an engine."""

    name: ClassVar[str] = "speech"
    version: ClassVar[int] = 2
    record: ClassVar[type[Segment]] = Segment
    needs: ClassVar[tuple[str, ...]] = ("scenes", "vad")
    device: ClassVar[Literal["cpu", "gpu", "io"]] = "gpu"
    memory_mib: ClassVar[int] = 1500
    needs_weights: ClassVar[bool] = True

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        local = context.profile.speech.engine == "faster-whisper"
        self.needs_weights = local  # type: ignore[misc]

    @classmethod
    def weights(cls, profile: Base) -> Weights | None:
        """A CTranslate2 folder."""
        return profile.speech.weights

    def skip(self) -> str:
        """Not asked for, or nothing to hear."""
        if self.context.profile.speech.engine == "none":
            return "the base profile says speech.engine: none"
        return "" if self.context.facts.audio_streams else "the video has no audio stream"

    def run(self) -> Iterator[Segment]:
        """Give what the engine hears, with its scene."""
        context = self.context
        settings = context.profile.speech
        transcripts = context.folder.parents[2] / "transcripts"
        engine = find(settings.engine)(Setup(settings, context.weights.path, transcripts))
        scenes = context.scenes()
        spans = list(Journal(context.folder / "vad.jsonl", Span))
        wav = context.folder / "audio.wav"
        for segment in engine.transcribe(wav, spans, context.progress):
            scene = scene_of(scenes, segment.start_s, segment.end_s)
            yield segment.model_copy(update={"scene": scene})
