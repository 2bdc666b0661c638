"""The videos that are measured on are what their truth says."""

from pathlib import Path

import numpy as np
import pytest
from helpers.films import Film

from benchmarks import clips, light
from benchmarks.film import frames, shots

TINY = clips.FilmSize("tiny", 192, 108, 300_000)


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return clips.film_clip(tmp_path_factory.mktemp("film"), TINY, loop_s=20.0, loops=2)


def test_a_film_is_cut_where_its_truth_says(film: Path) -> None:
    from scenedetect import ContentDetector, detect

    truth = clips.film_truth(film)
    assert truth is not None
    found = [start.seconds for start, _ in detect(str(film), ContentDetector())][1:]
    for cut_s in truth.hard_cuts_s:
        assert min(abs(cut_s - other) for other in found) < 1e-6
    assert truth.fades_s
    assert max(truth.hard_cuts_s) > 20.0


def test_a_film_is_as_hard_to_decode_as_real_ones(film: Path) -> None:
    facts = clips.stream_facts(film)
    assert facts.b_frames
    assert facts.profile == "High"
    assert facts.duration_s == pytest.approx(40.0)
    assert facts.mbit_per_s == pytest.approx(0.3, rel=0.25)


def test_the_same_film_is_drawn_each_time() -> None:
    # What x264 makes of it can differ by a little: its threads share out the bits as they come.
    def drawn() -> list[np.ndarray]:
        return list(frames(shots(2.0, seed=1), 64, 36, seed=1))

    one, other = drawn(), drawn()
    assert len(one) == 50
    assert all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


def test_a_film_that_was_cut_short_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr("benchmarks.film.frames", lambda *_, **__: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            clips.film_clip(tmp_path, TINY, 2.0, 1)
    path = clips.film_clip(tmp_path, TINY, 2.0, 1)
    assert clips.stream_facts(path).duration_s == pytest.approx(2.0)


def test_a_long_clip_of_the_nano_world_has_the_scenes_and_the_length_asked_for(
    tmp_path: Path,
) -> None:
    path = clips.world_clip(tmp_path, scenes=3, duration_s=18.0)
    truth = clips.world_truth(path)
    assert len(truth.scenes) == 3
    assert truth.duration_s == pytest.approx(18.0)
    assert clips.stream_facts(path).duration_s == pytest.approx(18.0)


def test_a_video_of_many_scenes_has_a_cut_every_second_and_a_voice(tmp_path: Path) -> None:
    from scenedetect import ContentDetector, detect

    path = clips.many_scenes_clip(tmp_path, 12)
    found = detect(str(path), ContentDetector(min_scene_len=6))
    assert [start.seconds for start, _ in found] == pytest.approx(range(12))


def test_a_light_film_is_its_clips_joined_and_repeated_and_is_none_without_them(
    tmp_path: Path,
) -> None:
    source = tmp_path / "clips"
    assert light.light_film(tmp_path, source) is None
    for name in light.CLIPS:
        codec = {"codec": "gif", "pixels": "bgr8"} if name.endswith("gif") else {}
        Film(frames=10, **codec).write(source / name)
    made = light.light_film(tmp_path, source)
    assert made is not None
    facts = clips.stream_facts(made)
    assert (facts.width, facts.height, facts.frames_per_second) == (1280, 720, 25)
    # Each is shown until its tenth frame has begun, 0.9 s after the first.
    assert facts.duration_s == pytest.approx(light.LOOPS * len(light.CLIPS) * 0.92, abs=0.7)
