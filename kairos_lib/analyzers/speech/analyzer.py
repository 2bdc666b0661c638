"""Speech: what is said and when, by the engine that the base profile names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from markupsafe import Markup

from kairos_lib.analyzers.analyzer import Context, Stage
from kairos_lib.analyzers.speech.engine import Engine, Setup, find
from kairos_lib.analyzers.speech.segment import Segment, in_order, transcript
from kairos_lib.analyzers.speech.settings import SpeechSettings
from kairos_lib.analyzers.vad import Span
from kairos_lib.media.facts import VideoFacts
from kairos_lib.parameters.settings import Settings
from kairos_lib.parameters.weights import Weights
from kairos_lib.report.page.html import Html
from kairos_lib.runs.journal import Journal

if TYPE_CHECKING:
    from kairos_lib.analyzers.profile import Base


# A transcript can be far longer than a scene's caption needs; 400 characters are about 100 tokens,
# which keeps the speech of talkative scenes below a quarter of their visual tokens.
TRANSCRIPT_LIMIT_CHARS = 400


class Analyzer(Stage):
    """Passes the spans with voice to an engine."""

    name: ClassVar[str] = "speech"
    version: ClassVar[int] = 3
    record: ClassVar[type[Segment]] = Segment
    settings: ClassVar[type[Settings]] = SpeechSettings
    load_settings: ClassVar[frozenset[str]] = frozenset({"engine"})
    data_name: ClassVar[str] = "asr"
    heading: ClassVar[str] = "Said"
    nothing: ClassVar[str] = "no speech"
    not_run: ClassVar[str] = "not transcribed"
    needs: ClassVar[tuple[str, ...]] = ("audio", "vad")
    placed: ClassVar[bool] = True
    not_in_key: ClassVar[frozenset[str]] = frozenset(
        {"concurrency", "requests_per_minute", "attempts", "timeout_s"}
    )
    packages: ClassVar[tuple[str, ...]] = ("faster-whisper", "ctranslate2")

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        settings = context.profile.speech
        self._engine: Engine | None = None
        if settings.engine != "none":
            setup = Setup(settings, context.weights.path, context.transcripts)
            self._engine = find(settings.engine)(setup)
            self.device = self._engine.device
            self.memory_mib = self._engine.memory_mib

    @classmethod
    def prompt_line(cls, records: Sequence[Segment]) -> str:
        """The transcript, cut off if it is long."""
        words = " ".join(transcript(records).split())
        if len(words) > TRANSCRIPT_LIMIT_CHARS:
            words = words[:TRANSCRIPT_LIMIT_CHARS].rsplit(" ", 1)[0] + " ..."
        return f"Speech: {words}" if words else ""

    @classmethod
    def scene_data(cls, records: Sequence[Segment]) -> dict[str, Any]:
        """The text alone, and each segment."""
        return {"text": transcript(records), "segments": in_order(records)}

    @classmethod
    def fused_data(cls, records: Sequence[Segment]) -> dict[str, Any]:
        """The same, under the names that these records have always had."""
        segments = tuple(one.without_words() for one in in_order(records))
        return {"transcript": transcript(records), "segments": segments}

    @classmethod
    def from_fused(cls, scene: Mapping[str, Any]) -> list[Segment]:
        """The segments of that scene."""
        return [Segment.model_validate(one) for one in scene.get("segments", ())]

    @classmethod
    def view(cls, records: Sequence[Segment]) -> str | Html:
        """The whole transcript."""
        words = transcript(records)
        return Html(Markup("<q>{}</q>").format(words)) if words else ""

    @classmethod
    def weights(cls, profile: Base) -> Weights | None:
        """A CTranslate2 folder."""
        own: SpeechSettings = profile.speech
        return own.weights

    @classmethod
    def uses_weights(cls, profile: Base) -> bool:
        """The local engine does."""
        own: SpeechSettings = profile.speech
        return own.engine == "faster-whisper"

    @classmethod
    def keys(cls, profile: Base, facts: VideoFacts) -> tuple[str, ...]:
        """The service's keys, if there is anything to hear."""
        engine = profile.speech.engine
        return find(engine).keys if engine != "none" and facts.audio_streams else ()

    @classmethod
    def sends(cls, profile: Base, facts: VideoFacts) -> str:
        """The service, if there is anything to hear."""
        engine = profile.speech.engine
        return find(engine).sends() if engine != "none" and facts.audio_streams else ""

    def skip(self) -> str:
        """Switched off, or no audio."""
        if self._engine is None:
            return "the base profile says speech.engine: none"
        return self.silent()

    def release(self) -> None:
        """The engine holds the model as well."""
        super().release()
        if self._engine:
            self._engine.release()

    @classmethod
    def load(cls, settings: SpeechSettings, weights: Path, device: str) -> Any:
        """The engine's own model."""
        return find(settings.engine).load(weights, device)

    def prepare(self) -> None:
        """Pass the model to the engine."""
        if self._engine:
            self._engine.model = self.model
            self._engine.batch_size = self.batch_size
            self._engine.prepare()

    def run(self) -> Iterator[Segment]:
        """Yield the segments that the engine finds."""
        spans = list(Journal(self.context.folder / "vad.jsonl", Span))
        if self._engine and spans:
            wav = self.context.folder / "audio.wav"
            yield from self._engine.transcribe(wav, spans, self.context.progress)
            self.batch_size = self._engine.batch_size
