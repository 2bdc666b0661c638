"""faster-whisper in batches, by the nano Whisper on a demo clip."""

from pathlib import Path
from typing import Any

import pytest

from kairos_lib.errors import KairosError
from kairos_lib.media import audio
from kairos_lib.nano.truth import CLIPS, ClipTruth
from kairos_lib.nano.whisper import WEIGHTS
from kairos_lib.nano.word_errors import word_errors
from kairos_lib.records import Segment, Span
from kairos_lib.settings import SpeechSettings
from kairos_lib.speech.engine import Setup, find
from kairos_lib.speech.local import FasterWhisper

TRUTH = ClipTruth.of_demo("demo-speech")
TALK = TRUTH.utterances[:6]
SAID = " ".join(utterance.text for utterance in TALK)


@pytest.fixture(scope="module")
def wav(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("speech") / "audio.wav"
    audio.extract(CLIPS / "demo-speech.mp4", path)
    return path


@pytest.fixture(scope="module")
def spans() -> list[Span]:
    """One for each sentence; the voice is a little wider than the words."""
    return [Span(start_s=u.start_s - 0.1, end_s=u.end_s + 0.1) for u in TALK]


def engine(batch_size: int = 4) -> FasterWhisper:
    settings = SpeechSettings(language="en", batch_size=batch_size)
    made = find("faster-whisper")(Setup(settings, WEIGHTS, Path("none")))
    assert isinstance(made, FasterWhisper)
    made.prepare()
    return made


def transcribe(wav: Path, spans: list[Span], made: FasterWhisper) -> list[Segment]:
    told: list[tuple[int, int]] = []
    segments = list(made.transcribe(wav, spans, lambda done, total: told.append((done, total))))
    assert told[-1] == (len(spans), len(spans))
    assert told == sorted(told)
    return segments


def text(segments: list[Segment]) -> str:
    return " ".join(segment.text for segment in segments)


@pytest.fixture(scope="module")
def alone(wav: Path, spans: list[Span]) -> list[Segment]:
    return transcribe(wav, spans, engine(batch_size=1))


def test_a_batch_hears_what_one_at_a_time_hears(wav: Path, spans: list[Span], alone):
    together = transcribe(wav, spans, engine(batch_size=4))
    assert text(alone) == text(together)
    assert word_errors(SAID, text(together)).rate <= 0.05
    for one, other in zip(alone, together, strict=True):
        assert (one.start_s, one.end_s) == pytest.approx((other.start_s, other.end_s), abs=0.05)


def test_times_are_in_order_and_within_the_spans(spans: list[Span], alone: list[Segment]):
    assert [s.start_s for s in alone] == sorted(s.start_s for s in alone)
    for segment in alone:
        assert any(s.start_s <= segment.start_s < segment.end_s <= s.end_s for s in spans)


def test_a_span_longer_than_whisper_hears_at_once_is_heard_to_its_end(wav: Path):
    talk = TALK[:5]
    span = Span(start_s=talk[0].start_s, end_s=talk[-1].end_s + 0.1)
    assert span.end_s - span.start_s > 8
    segments = transcribe(wav, [span], engine())
    assert word_errors(" ".join(u.text for u in talk), text(segments)).rate <= 0.05
    assert len(segments) == len(talk)


def test_running_out_of_memory_halves_the_batch_and_goes_on(wav: Path, spans, alone, monkeypatch):
    from faster_whisper import WhisperModel

    sizes: list[int] = []
    encode = WhisperModel.encode

    def small(self: WhisperModel, features: Any) -> Any:
        sizes.append(features.shape[0])
        if features.shape[0] > 2:
            raise RuntimeError("CUDA failed with error out of memory")
        return encode(self, features)

    monkeypatch.setattr(WhisperModel, "encode", small)
    made = engine(batch_size=6)
    assert text(transcribe(wav, spans, made)) == text(alone)
    assert made.batch_size == 1
    assert sizes[:3] == [6, 3, 1]


def test_no_room_for_even_one_is_one_clear_line(wav: Path, spans, monkeypatch):
    from faster_whisper import WhisperModel

    def none(self: WhisperModel, features: Any) -> Any:
        raise RuntimeError("CUDA failed with error out of memory")

    monkeypatch.setattr(WhisperModel, "encode", none)
    with pytest.raises(KairosError, match="out of memory with a single item"):
        transcribe(wav, spans, engine())


def test_another_failure_is_not_taken_for_a_lack_of_memory(wav: Path, spans, monkeypatch):
    from faster_whisper import WhisperModel

    def broken(self: WhisperModel, features: Any) -> Any:
        raise RuntimeError("invalid model")

    monkeypatch.setattr(WhisperModel, "encode", broken)
    with pytest.raises(RuntimeError, match="invalid model"):
        transcribe(wav, spans, engine())


def test_a_text_that_goes_round_in_circles_is_decoded_again_with_patience(
    wav: Path, spans: list[Span], alone: list[Segment], monkeypatch
):
    from faster_whisper import BatchedInferencePipeline

    generate = BatchedInferencePipeline.generate_segment_batched

    def looping(self: Any, features: Any, tokenizer: Any, options: Any) -> Any:
        encoded, outputs = generate(self, features, tokenizer, options)
        outputs[0]["tokens"] = outputs[0]["tokens"][:3] * 30
        return encoded, outputs

    monkeypatch.setattr(BatchedInferencePipeline, "generate_segment_batched", looping)
    assert text(transcribe(wav, spans, engine())) == text(alone)


def test_a_guess_at_what_is_no_speech_is_dropped(wav: Path, spans: list[Span], monkeypatch):
    from faster_whisper import BatchedInferencePipeline

    generate = BatchedInferencePipeline.generate_segment_batched

    def unsure(self: Any, features: Any, tokenizer: Any, options: Any) -> Any:
        encoded, outputs = generate(self, features, tokenizer, options)
        return encoded, [{**o, "no_speech_prob": 0.9, "avg_logprob": -1.5} for o in outputs]

    monkeypatch.setattr(BatchedInferencePipeline, "generate_segment_batched", unsure)
    assert transcribe(wav, spans, engine()) == []
