import itertools
from pathlib import Path

import numpy as np
import pytest
from helpers.clips import COLOURS, write_clip

from kairos_lib.media import audio


def pitch_hz(samples: np.ndarray) -> float:
    spectrum = np.abs(np.fft.rfft(samples))
    return float(np.argmax(spectrum) * audio.SAMPLE_RATE_HZ / len(samples))


def test_sound_is_kept_whole_at_16_khz(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mp4", COLOURS[:3])
    wav = tmp_path / "a.wav"
    assert audio.extract(path, wav)
    assert audio.duration_s(wav) == pytest.approx(3.0, abs=0.1)
    assert pitch_hz(audio.read(wav, 1.0, 2.0)) == pytest.approx(440, abs=2)


def test_a_silent_film_has_no_sound_and_no_file(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mp4", COLOURS[:1], tone=False)
    assert not audio.extract(path, tmp_path / "a.wav")
    assert not list(tmp_path.glob("*.wav"))


def test_a_window_may_reach_past_either_end(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mp4", COLOURS[:2])
    wav = tmp_path / "a.wav"
    audio.extract(path, wav)
    assert len(audio.read(wav, -1.0, 0.5)) == 8000
    assert len(audio.read(wav, 1.5, 99.0)) == pytest.approx(8000, abs=1600)
    assert len(audio.read(wav, 50.0, 60.0)) == 0


def test_pieces_put_together_are_the_whole(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mp4", COLOURS[:3])
    wav = tmp_path / "a.wav"
    audio.extract(path, wav)
    edges = [0.0, 0.7333, 1.9, 99.0]
    pieces = []
    for number, (start_s, end_s) in enumerate(itertools.pairwise(edges)):
        audio.cut(wav, start_s, end_s, tmp_path / f"{number}.wav")
        pieces.append(audio.read(tmp_path / f"{number}.wav"))
    assert np.array_equal(np.concatenate(pieces), audio.read(wav))


def test_sound_that_starts_late_is_moved_to_its_place(tmp_path: Path) -> None:
    import av

    source = write_clip(tmp_path / "a.mp4", COLOURS[:3])
    late = tmp_path / "late.mp4"
    with av.open(str(source)) as given, av.open(str(late), "w") as made:
        streams = {s.index: made.add_stream_from_template(s) for s in given.streams}
        for packet in given.demux():
            if packet.dts is None:
                continue
            if packet.stream.type == "audio":
                shift = int(1.5 / packet.time_base)
                packet.pts += shift
                packet.dts += shift
            packet.stream = streams[packet.stream.index]
            made.mux(packet)
    wav = tmp_path / "late.wav"
    assert audio.extract(late, wav)
    assert np.abs(audio.read(wav, 0.1, 1.3)).max() == 0
    assert pitch_hz(audio.read(wav, 1.7, 2.7)) == pytest.approx(440, abs=2)
    assert audio.duration_s(wav) == pytest.approx(4.5, abs=0.15)
