import numpy as np
import pytest

from kairos_lib.media.thumbnails import CANDIDATES, Candidate, ThumbnailPicker

IMAGE = np.zeros((1, 1, 3), dtype=np.uint8)


@pytest.mark.parametrize("frames", [1, 5, 64, 65, 1000, 20_000])
def test_a_scene_of_any_length_gives_its_first_frame_and_one_near_its_middle(frames: int) -> None:
    picker = ThumbnailPicker(recent_s=1.0)
    for index in range(frames):
        picker.add(Candidate(index, index / 25, IMAGE))
    end_s = frames / 25
    first, middle = picker.close(end_s)
    assert first.index == 0
    assert abs(middle.time_s - end_s / 2) <= max(1 / 25, 2 * end_s / CANDIDATES)


def test_few_candidates_are_kept_of_a_long_scene() -> None:
    picker = ThumbnailPicker(recent_s=1.0)
    for index in range(50_000):
        picker.add(Candidate(index, index / 25, IMAGE))
        assert len(picker._old) <= CANDIDATES


def test_frames_after_a_cut_that_is_named_late_belong_to_the_next_scene() -> None:
    picker = ThumbnailPicker(recent_s=1.0)
    for index in range(100):
        picker.add(Candidate(index, index / 25, IMAGE))
    picker.close(80 / 25)
    for index in range(100, 120):
        picker.add(Candidate(index, index / 25, IMAGE))
    first, middle = picker.close(120 / 25)
    assert first.index == 80
    assert middle.index == 100
