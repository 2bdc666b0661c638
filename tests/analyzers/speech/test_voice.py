"""Voice activity, block by block, against the package that looks at a recording as a whole."""

from pathlib import Path

import pytest

from kairos_lib.analyzers import vad
from kairos_lib.analyzers.vad import VadSettings
from kairos_lib.media import audio

CLIPS = Path(__file__).parents[3] / "kairos_lib/nano/clips"


def of_the_whole(wav: Path, settings: VadSettings) -> list[tuple[int, int]]:
    from faster_whisper.vad import VadOptions, get_speech_timestamps

    options = VadOptions(
        threshold=settings.threshold,
        min_silence_duration_ms=round(settings.min_silence_s * 1000),
        speech_pad_ms=round(settings.pad_s * 1000),
    )
    found = get_speech_timestamps(audio.read(wav), options)
    return [(stretch["start"], stretch["end"]) for stretch in found]


@pytest.mark.parametrize(
    "settings",
    [
        VadSettings(),
        # Pauses that are shorter than two paddings are shared out.
        VadSettings(min_silence_s=0.1, pad_s=0.4),
        VadSettings(threshold=0.9, min_silence_s=0.0, pad_s=0.0),
        VadSettings(threshold=0.05),
    ],
)
@pytest.mark.parametrize("windows", [1, 220, 1000])
@pytest.mark.parametrize("clip", ["demo-speech", "demo-dialogue"])
def test_a_voice_found_block_by_block_is_that_of_the_whole(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    clip: str,
    windows: int,
    settings: VadSettings,
) -> None:
    """Also where the edge of a block falls into a sentence."""
    wav = tmp_path / "audio.wav"
    audio.extract(CLIPS / f"{clip}.mp4", wav)
    whole = of_the_whole(wav, settings)
    assert whole
    monkeypatch.setattr(vad, "BLOCK", windows * vad.WINDOW)
    assert [tuple(stretch) for stretch in vad.stretches(wav, settings)] == whole


@pytest.mark.parametrize("samples", [511, 512, 513, 1024, 30 * 16_000, 312 * 512, 312 * 512 + 500])
def test_where_a_recording_ends_makes_no_difference(tmp_path: Path, samples: int) -> None:
    whole, cut = tmp_path / "whole.wav", tmp_path / "cut.wav"
    audio.extract(CLIPS / "demo-speech.mp4", whole)
    audio.cut(whole, 0.0, samples / audio.SAMPLE_RATE_HZ, cut)
    settings = VadSettings(min_silence_s=0.3)
    assert [tuple(stretch) for stretch in vad.stretches(cut, settings)] == of_the_whole(
        cut, settings
    )
