import itertools
from pathlib import Path

import numpy as np
import pytest
from helpers.clips import COLOURS, write_clip
from helpers.films import Film, Sound, repack

from kairos_lib.errors import KairosError
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


def two_languages(path: Path) -> Path:
    german = Sound(hz=600, language="deu", default=True)
    return Film(sounds=[Sound(hz=300, language="eng"), german]).write(path)


@pytest.mark.parametrize(("stream", "hertz"), [(None, 600), (0, 300), (1, 600)])
def test_the_default_stream_is_heard_unless_another_is_chosen(
    tmp_path: Path, stream: int | None, hertz: int
) -> None:
    video = two_languages(tmp_path / "a.mkv")
    assert audio.extract(video, tmp_path / "a.wav", stream)
    assert pitch_hz(audio.read(tmp_path / "a.wav", 0.2, 1.8)) == pytest.approx(hertz, abs=2)


@pytest.mark.parametrize("stream", [2, -1])
def test_a_stream_that_is_not_there_is_answered_with_those_that_are(
    tmp_path: Path, stream: int
) -> None:
    video = two_languages(tmp_path / "a.mkv")
    with pytest.raises(KairosError, match="choose one of 0: eng, aac, 1: deu, aac"):
        audio.extract(video, tmp_path / "a.wav", stream)
    silent = Film(1).write(tmp_path / "b.mkv")
    with pytest.raises(KairosError, match="has no audio stream"):
        audio.extract(silent, tmp_path / "b.wav", stream)
    assert not list(tmp_path.glob("*.wav"))


def stamped(path: Path, move_s: dict[int, float]) -> Path:
    """A film of two seconds whose pieces of sound have their stamps moved from some on."""
    film = Film(sounds=[Sound(codec="pcm_s16le")]).write(path.with_name("good.mkv"))

    def change(packet, number):
        if packet.stream.type == "audio":
            moved = [by_s for first, by_s in move_s.items() if first <= number]
            packet.pts += round((moved[-1] if moved else 0) / packet.time_base)
        packet.dts = number - 100_000
        return packet

    return repack(film, path, change)


def test_a_gap_in_the_sound_is_silence_of_its_length(tmp_path: Path) -> None:
    """A quarter of a second that is played half a second late."""
    video = stamped(tmp_path / "a.mkv", {10: 0.5})
    audio.extract(video, tmp_path / "a.wav")
    assert audio.duration_s(tmp_path / "a.wav") == pytest.approx(2.5, abs=0.01)
    assert np.abs(audio.read(tmp_path / "a.wav", 0.52, 0.98)).max() == 0
    assert np.abs(audio.read(tmp_path / "a.wav", 1.02, 1.2)).max() > 0.2


def test_sound_that_comes_twice_is_heard_once(tmp_path: Path) -> None:
    video = stamped(tmp_path / "a.mkv", {20: -0.5})
    audio.extract(video, tmp_path / "a.wav")
    assert audio.duration_s(tmp_path / "a.wav") == pytest.approx(1.5, abs=0.11)


def test_stamps_that_begin_anew_lose_no_sound_and_no_later_gap(tmp_path: Path) -> None:
    video = stamped(tmp_path / "a.mkv", {0: 20.0, 30: 10.0, 35: 10.5})
    audio.extract(video, tmp_path / "a.wav")
    assert audio.duration_s(tmp_path / "a.wav") == pytest.approx(22.5, abs=0.01)


def test_broken_stamps_of_a_moment_move_no_sound(tmp_path: Path) -> None:
    """Three pieces say that they are hours away: they follow on what was before them."""
    video = stamped(tmp_path / "a.mkv", {20: 36_000.0, 23: 0.0})
    audio.extract(video, tmp_path / "a.wav")
    assert audio.duration_s(tmp_path / "a.wav") == pytest.approx(2.0, abs=0.01)
    assert np.abs(audio.read(tmp_path / "a.wav", 1.02, 1.13)).max() > 0.2


def test_sound_is_laid_against_the_first_frame_that_can_be_decoded(tmp_path: Path) -> None:
    """The first key frame is lost: the film begins a second later, and its sound with it."""
    sound = Sound(codec="pcm_s16le", seconds=1.0)
    film = Film(options={"g": "10"}, sounds=[sound]).write(tmp_path / "good.mkv")
    video = repack(
        film,
        tmp_path / "a.mkv",
        lambda packet, number: packet if number >= 10 or packet.stream.type == "audio" else None,
    )
    assert not audio.extract(video, tmp_path / "a.wav")
    assert not list(tmp_path.glob("*.wav"))
    assert not list(tmp_path.glob("*.partial"))
