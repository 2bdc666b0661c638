"""Times of words, and pace, of known speech by a real Whisper, where one is at hand."""

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from helpers.package_weights import CLIPS, fetched
from helpers.recordings import write_wav

from kairos_lib.analyzers import vad
from kairos_lib.analyzers.speech.engine import Setup, find
from kairos_lib.analyzers.speech.segment import Segment
from kairos_lib.analyzers.speech.settings import SpeechSettings
from kairos_lib.analyzers.speech_flow import SpeechFlowSettings, flow
from kairos_lib.analyzers.vad import Span, VadSettings
from kairos_lib.media.scene import Scene

WHISPER = fetched("whisper-base", "KAIROS_TEST_WHISPER")
TEXT = (
    "The quick brown fox jumps over the lazy dog near the river bank. "
    "Many people walk along the water in the early morning, and some of them bring their children. "
    "Nobody knows why the old bridge was closed last year."
)
pytestmark = [
    pytest.mark.services,
    pytest.mark.skipif(
        not (WHISPER / "model.bin").exists(),
        reason="no Whisper base is here: make fetch BASE=packages",
    ),
]


def heard(sound: Path, folder: Path, word_times: bool = True) -> tuple[list[Segment], np.ndarray]:
    """What is said, and the samples."""
    from faster_whisper.audio import decode_audio

    samples = np.asarray(decode_audio(str(sound)))
    wav = write_wav(folder / "sound.wav", samples)
    spans = [
        Span(start_s=a / 16_000, end_s=b / 16_000) for a, b in vad.stretches(wav, VadSettings())
    ]
    settings = SpeechSettings(language="en", word_times=word_times)
    engine = find("faster-whisper")(Setup(settings, WHISPER, Path("none")))
    engine.model = engine.load(WHISPER, "cpu")
    engine.prepare()
    return list(engine.transcribe(wav, spans, lambda done, total: None)), samples


@pytest.mark.skipif(not shutil.which("espeak-ng"), reason="espeak-ng is not installed")
@pytest.mark.parametrize("speed", [130, 260])
def test_speech_at_a_known_rate_has_that_rate(tmp_path: Path, speed: int) -> None:
    sound = tmp_path / "espeak.wav"
    command = ["espeak-ng", "-v", "en-us", "-s", f"{speed}", "-w", str(sound), TEXT]
    subprocess.run(command, check=True)
    segments, samples = heard(sound, tmp_path)
    loud = np.flatnonzero(abs(samples) > 0.02)
    true_wpm = 60 * len(TEXT.split()) / ((loud[-1] - loud[0]) / 16_000)
    whole = [Scene(index=0, start_s=0.0, end_s=len(samples) / 16_000)]
    (scene,) = flow(segments, whole, SpeechFlowSettings())
    assert scene.by_words
    assert scene.words == pytest.approx(len(TEXT.split()), abs=2)
    assert scene.speaking_wpm == pytest.approx(true_wpm, rel=0.08)
    assert scene.articulation_wpm
    assert scene.articulation_wpm >= scene.speaking_wpm


@pytest.mark.skipif(not (CLIPS / "jfk.flac").exists(), reason="there is no jfk.flac")
def test_words_of_a_known_speech_are_where_there_is_voice(tmp_path: Path) -> None:
    segments, samples = heard(CLIPS / "jfk.flac", tmp_path)
    words = [word for segment in segments for word in segment.words]
    assert " ".join(word.text for word in words) == " ".join(one.text for one in segments)
    assert " ".join(word.text.strip(".,").lower() for word in words) == (
        "and so my fellow americans ask not what your country can do for you "
        "ask what you can do for your country"
    )
    plain, _ = heard(CLIPS / "jfk.flac", tmp_path, word_times=False)
    assert [segment.without_words() for segment in segments] == plain
    for word in words:
        assert 0 <= word.start_s < word.end_s <= len(samples) / 16_000
        assert 0 < word.probability <= 1
    assert [word.start_s for word in words] == sorted(word.start_s for word in words)
    # His pauses, by ear: after "Americans" and after "not what".
    whole = [Scene(index=0, start_s=0.0, end_s=11.0)]
    (scene,) = flow(segments, whole, SpeechFlowSettings(pause_s=0.6))
    (passage,) = scene.passages
    assert [start_s for start_s, _ in passage.pauses_at][:1] == pytest.approx([2.1], abs=0.3)
