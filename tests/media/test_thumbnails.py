import numpy as np
import pytest

from kairos_lib.media.thumbnails import CANDIDATES, Candidate, ThumbnailPicker

FPS = 25


def add(picker: ThumbnailPicker, index: int) -> None:
    picker.add(index / FPS, np.full((1, 1, 3), index, dtype=np.int32))


def number(candidate: Candidate) -> int:
    return int(candidate.image[0, 0, 0])


def picked(frames: int) -> ThumbnailPicker:
    picker = ThumbnailPicker(recent_s=1.0)
    for index in range(frames):
        add(picker, index)
        assert picker.kept <= CANDIDATES
    return picker


@pytest.mark.parametrize("frames", [1, 5, 64, 65, 1000, 20_000])
def test_a_scene_of_any_length_gives_its_first_frame_and_one_near_its_middle(frames: int) -> None:
    end_s = frames / FPS
    first, middle = picked(frames).close(end_s)
    assert number(first) == 0
    assert abs(middle.time_s - end_s / 2) <= max(0.125, 2 * end_s / CANDIDATES)
    assert number(middle) == round(middle.time_s * FPS)


def test_the_middle_of_a_short_scene_is_exact() -> None:
    assert number(picked(25).close(1.0)[1]) == 12


def test_frames_after_a_cut_that_is_named_late_belong_to_the_next_scene() -> None:
    picker = picked(100)
    picker.close(80 / FPS)
    for index in range(100, 120):
        add(picker, index)
    first, middle = picker.close(120 / FPS)
    assert (number(first), number(middle)) == (80, 100)
