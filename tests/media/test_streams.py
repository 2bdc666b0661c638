"""Streams that do not go together: each is read for what it is worth, all on one clock."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from helpers.odd_streams import (
    camera_stops,
    channels,
    leap,
    relay,
    stills,
    wrong_offset,
)
from helpers.projects import CHECKOUT
from hypothesis import example, given, settings
from hypothesis import strategies as st

from kairos_lib.media import audio
from kairos_lib.media.facts import VideoFacts
from kairos_lib.media.problems import problems
from kairos_lib.media.video import VideoFile, probe

FAULTS = CHECKOUT.parent / "shared" / "faults"
HZ = audio.SAMPLE_RATE_HZ
few = settings(derandomize=True, deadline=None, max_examples=6)
Folder = Callable[[], Path]


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    """A folder for each example."""
    return lambda: tmp_path_factory.mktemp("streams")


class Read:
    """A film as it is read from its file."""

    def __init__(self, path: Path) -> None:
        self.facts: VideoFacts = probe(path, "")
        video = VideoFile(path)
        self.times_s = [frame.time_s for frame in video.frames()]
        wav = path.with_suffix(".wav")
        sound = audio.extract(path, wav)
        self.samples = audio.read(wav) if sound else np.zeros(0, np.float32)
        self.wav_bytes = wav.stat().st_size if sound else 0
        self.problems = "; ".join(
            problems(
                self.facts,
                self.facts.end_s(self.facts.pictures_end_s),
                video.broken,
                sound.broken if sound else 0,
            )
        )

    def loudness(self, start_s: float = 0.1, end_s: float = 1.9) -> float:
        window = self.samples[round(start_s * HZ) : round(end_s * HZ)]
        return float(np.sqrt(np.square(window).mean()))

    def pitch_hz(self, start_s: float, end_s: float) -> float:
        window = self.samples[round(start_s * HZ) : round(end_s * HZ)]
        return float(np.argmax(np.abs(np.fft.rfft(window))) * HZ / len(window))


TONE = 8000 / 32768 / np.sqrt(2)
"""Loudness of the tones in these films."""


@few
@given(chunk=st.floats(0, 1), seconds=st.floats(2, 6))
@example(chunk=0.1, seconds=4.0)
@example(chunk=1.0, seconds=4.0)
def test_damage_in_the_sound_ends_neither_the_pictures_nor_the_sound(
    fresh: Folder, chunk: float, seconds: float
) -> None:
    read = Read(wrong_offset(fresh() / "a.mp4", chunk, seconds))
    assert len(read.times_s) == round(seconds * 10)
    heard_s = np.count_nonzero(np.abs(read.samples) > 0.01) / HZ
    assert heard_s > read.times_s[-1] - 1.3  # A chunk holds up to a second.
    assert "places that cannot be read: " in read.problems


def test_pictures_are_read_without_looking_for_the_sound(
    fresh: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that however much of it is missing, no reader of the pictures gives up over it."""
    path = wrong_offset(fresh() / "a.mp4")
    monkeypatch.setattr("kairos_lib.media.container.MOST_UNREAD", 0)
    assert len(list(VideoFile(path, ()).frames())) == 40


@few
@given(
    gains=st.lists(st.sampled_from([0.0, 0.3, 1.0]), min_size=9, max_size=16),
    codec=st.sampled_from(["pcm_s16le", "libopus"]),
)
@example(gains=[0.0] * 8 + [1.0], codec="libopus")
def test_channels_that_nobody_names_are_mixed_to_their_mean(
    fresh: Folder, gains: list[float], codec: str
) -> None:
    read = Read(channels(fresh() / "a.mkv", gains, codec=codec))
    assert len(read.samples) == pytest.approx(2 * HZ, abs=HZ // 10)
    assert read.loudness() == pytest.approx(TONE * np.mean(gains), rel=0.1, abs=1e-3)


def test_a_channel_that_would_be_taken_for_a_subwoofer_is_heard(fresh: Folder) -> None:
    """FFmpeg leaves out the third of three channels that nobody names."""
    read = Read(channels(fresh() / "a.mkv", [0.0, 0.0, 1.0]))
    assert read.loudness() == pytest.approx(TONE, rel=0.1)


@few
@given(
    level=st.floats(0.8, 1.25),
    layout=st.sampled_from(["stereo", "2 channels", "quad", "5.1", "9 channels"]),
    hz=st.floats(100, 3000),
)
@example(level=1.0, layout="stereo", hz=440.0)
def test_a_voice_whose_channels_cancel_out_is_heard(
    fresh: Folder, level: float, layout: str, hz: float
) -> None:
    others = {"quad": 2, "5.1": 4, "9 channels": 7}.get(layout, 0)
    gains = [1.0, -level, *[0.0] * others]
    read = Read(channels(fresh() / "a.mkv", gains, layout, hz=hz))
    assert read.loudness() == pytest.approx(TONE * max(1, level), rel=0.1)
    assert read.pitch_hz(0.1, 1.9) == pytest.approx(hz, abs=2)


@few
@given(left=st.floats(0.05, 1), right=st.floats(-0.3, 1), layout=st.sampled_from(["stereo", "5.1"]))
@example(left=1.0, right=1.0, layout="stereo")
@example(left=1.0, right=0.0, layout="stereo")
def test_what_does_not_cancel_out_is_mixed_as_ffmpeg_mixes_it(
    fresh: Folder, left: float, right: float, layout: str
) -> None:
    import av

    right *= left
    gains = [left, right, *([0.2, 0.9, 0.1, 0.0] if layout == "5.1" else [])]
    path = channels(fresh() / "a.mkv", gains, layout, codec="aac")
    with av.open(str(path)) as container:
        resampler = av.AudioResampler(format="s16", layout="mono", rate=HZ)
        pieces = [
            piece.to_ndarray().reshape(-1)
            for frame in itertools.chain(container.decode(audio=0), [None])
            for piece in resampler.resample(frame)
        ]
    assert np.array_equal(Read(path).samples, np.concatenate(pieces) / np.float32(32768))


@few
@given(sound_s=st.floats(3.5, 40))
@example(sound_s=8.0)
def test_a_film_lasts_as_long_as_its_sound_does(fresh: Folder, sound_s: float) -> None:
    read = Read(camera_stops(fresh() / "a.mp4", sound_s))
    assert read.facts.duration_s == pytest.approx(sound_s, abs=0.13)
    assert len(read.times_s) == 20
    assert "its pictures end at 2.0 s and its sound at" in read.problems


@few
@given(each_s=st.floats(11, 40), count=st.integers(2, 3))
@example(each_s=20.0, count=3)
def test_a_picture_that_stands_while_there_is_sound_is_no_gap(
    fresh: Folder, each_s: float, count: int
) -> None:
    read = Read(stills(fresh() / "a.ts", each_s, count))
    assert read.times_s == pytest.approx([n * each_s for n in range(count)], abs=0.1)
    assert read.facts.duration_s == pytest.approx(each_s * count, abs=0.3)
    assert len(read.samples) / HZ == pytest.approx(each_s * count, abs=0.3)
    assert "jumps" not in read.problems


@few
@given(
    by_s=st.floats(1e4, 1e6),
    streams=st.sampled_from([("audio",), ("video",), ("audio", "video")]),
)
@example(by_s=2e5, streams=("audio", "video"))
def test_a_leap_over_days_that_hold_nothing_is_left_out_and_told(
    fresh: Folder, by_s: float, streams: tuple[str, ...]
) -> None:
    folder = fresh()
    read = Read(leap(folder / "a.mkv", by_s, streams))
    # Where one stream alone leaps, what it still holds comes after all of the other.
    most_s = 2.1 if len(streams) == 2 else 3.1
    assert 1.9 < read.facts.duration_s < most_s
    assert len(read.times_s) == 20
    assert np.count_nonzero(read.samples) > 1.8 * HZ
    assert read.wav_bytes < 200_000
    assert "jumps in its time stamps: 1 (joined there, " in read.problems
    assert not list(folder.glob("*.partial"))


@few
@given(by_s=st.floats(3700, 7000))
def test_pauses_add_up_to_hours_of_silence_but_not_to_gigabytes(fresh: Folder, by_s: float) -> None:
    facts = probe(leap(fresh() / "a.mkv", by_s, times=9), "")
    assert facts.duration_s == pytest.approx(6 * 3600 // by_s * by_s + 2, abs=3)
    assert facts.jumps == 9 - 6 * 3600 // by_s


@few
@given(joints=st.integers(1, 6), sound_more_s=st.sampled_from([-0.3, 0.1, 0.4, 0.9]))
@example(joints=6, sound_more_s=0.4)
def test_broadcasts_are_joined_alike_for_pictures_and_sound(
    fresh: Folder, joints: int, sound_more_s: float
) -> None:
    read = Read(relay(fresh() / "a.ts", joints, sound_more_s))
    begins = read.times_s[::20]
    assert len(read.times_s) == 20 * (joints + 1)
    for number, begin_s in enumerate(begins):
        pitch = read.pitch_hz(begin_s + 0.15, begin_s + 1.6)
        assert pitch == pytest.approx(300 + 100 * number, abs=10)
    assert f"jumps in its time stamps: {joints} (joined there)" in read.problems


@pytest.mark.skipif(not FAULTS.is_dir(), reason="no ../shared/faults")
@pytest.mark.parametrize(
    ("name", "length_s", "sound_s", "told"),
    [
        ("bad_audio_offset.mp4", 54.2, 54.2, "places that cannot be read: 1"),
        ("nine_channels.mkv", 1.2, 1.0, ""),
        ("antiphase.mkv", 3.1, 3.0, ""),
        ("camera_stops.mp4", 30.0, 30.0, "its pictures end at 3.0 s and its sound at 30.0 s"),
        ("still_sound.ts", 50.0, 50.0, ""),
        ("gap_2e5.mkv", 3.3, 2.2, "jumps in its time stamps: 1 (joined there, 199997.0 s"),
    ],
)
def test_a_file_that_failed_once_is_read_right(
    tmp_path: Path, name: str, length_s: float, sound_s: float, told: str
) -> None:
    read = Read(Path(shutil.copy(FAULTS / name, tmp_path)))
    assert read.facts.duration_s == pytest.approx(length_s, abs=0.1)
    assert len(read.samples) / HZ == pytest.approx(sound_s, abs=0.1)
    assert read.loudness(0.0, sound_s) > 0.01
    assert told in read.problems
