"""faster-whisper in batches, by the nano Whisper on a demo clip."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.recordings import write_wav
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from kairos_lib.analyzers.speech.engine import Setup, find
from kairos_lib.analyzers.speech.local import FasterWhisper
from kairos_lib.analyzers.speech.segment import Segment
from kairos_lib.analyzers.speech.settings import SpeechSettings
from kairos_lib.analyzers.vad import Span
from kairos_lib.errors import KairosError
from kairos_lib.media import audio
from kairos_lib.nano.truth import CLIPS, ClipTruth
from workshop.nano.whisper import WEIGHTS
from workshop.nano.word_errors import word_errors

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


def engine(batch_size: int = 4, pause_s: float | None = None) -> FasterWhisper:
    settings = SpeechSettings(language="en", batch_size=batch_size, pause_s=pause_s)
    made = find("faster-whisper")(Setup(settings, WEIGHTS, Path("none")))
    assert isinstance(made, FasterWhisper)
    made.model = made.load(WEIGHTS, "cpu")
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


@pytest.fixture
def windows_heard(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many windows the model was shown at once, each time."""
    from faster_whisper import WhisperModel

    counts: list[int] = []
    encode = WhisperModel.encode

    def counted(self: WhisperModel, features: Any) -> Any:
        counts.append(features.shape[0])
        return encode(self, features)

    monkeypatch.setattr(WhisperModel, "encode", counted)
    return counts


@settings(
    derandomize=True,
    deadline=None,
    max_examples=3,
    phases=[Phase.generate],  # Not made smaller: each try is heard.
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.lists(st.floats(0.5, 0.78), min_size=5, max_size=5), st.floats(0.0, 20.0))
def test_stretches_with_short_pauses_are_heard_at_once_and_keep_their_times(
    wav: Path, tmp_path: Path, windows_heard: list[int], pauses_s: list[float], first_s: float
) -> None:
    """The sentences of a demo clip, spoken anew at times of the test's own."""
    pieces, spans, times = [np.zeros(round(first_s * audio.SAMPLE_RATE_HZ))], [], []
    for said, pause_s in zip(TALK, [*pauses_s, 1.0], strict=True):
        pieces.append(audio.read(wav, said.start_s, said.end_s))
        end_s = sum(map(len, pieces)) / audio.SAMPLE_RATE_HZ
        times.append((end_s - len(pieces[-1]) / audio.SAMPLE_RATE_HZ, end_s))
        # As wide as base processing makes them.
        spans.append(Span(start_s=max(0.0, times[-1][0] - 0.2), end_s=end_s + 0.2))
        pieces.append(np.zeros(round(pause_s * audio.SAMPLE_RATE_HZ)))
    write_wav(tmp_path / "talk.wav", np.concatenate(pieces))
    windows_heard.clear()
    segments = transcribe(tmp_path / "talk.wav", spans, engine(batch_size=8, pause_s=0.4))
    # At first; a sentence that has no end in its window is heard again.
    assert windows_heard[0] <= len(TALK) // 2
    assert word_errors(SAID, text(segments)).count == 0
    assert len(segments) == len(TALK)
    for segment, (start_s, end_s) in zip(segments, times, strict=True):
        # The nano Whisper's own doing; without the pauses, they would be off by up to two seconds.
        assert (segment.start_s, segment.end_s) == pytest.approx((start_s, end_s), abs=0.35)


def test_weights_say_what_they_can_hear_at_once_and_a_profile_decides(
    wav: Path, windows_heard: list[int]
) -> None:
    first, second = TALK[:2]
    close = [
        Span(start_s=first.start_s - 0.1, end_s=first.end_s + 0.05),
        Span(start_s=second.start_s - 0.05, end_s=second.end_s + 0.1),
    ]
    # The nano Whisper's say that each stretch is to be heard alone.
    for pause_s, windows in ((None, 2), (0.0, 2), (0.3, 1)):
        windows_heard.clear()
        transcribe(wav, close, engine(pause_s=pause_s))
        assert windows_heard[0] == windows


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
