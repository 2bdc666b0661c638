import numpy as np
import pytest

from kairos_lib.media.thumbnails import CANDIDATES, ThumbnailPicker


class Still:
    """A frame that can tell how often it was scaled."""

    size_bytes = 1_000_000

    def __init__(self, index: int, time_s: float) -> None:
        self.index = index
        self.time_s = time_s
        self.scaled = 0

    def image(self, longest_px: int | None, *, interpolation: str) -> np.ndarray:
        self.scaled += 1
        return np.full((1, 1, 3), self.index % 256, dtype=np.uint8)


def picked(frames: int, fps: int = 25) -> tuple[ThumbnailPicker, list[Still]]:
    picker = ThumbnailPicker(recent_s=1.0, longest_px=336)
    stills = [Still(index, index / fps) for index in range(frames)]
    for still in stills:
        picker.add(still)
        assert picker.kept <= CANDIDATES
    return picker, stills


@pytest.mark.parametrize("frames", [1, 5, 64, 65, 1000, 20_000])
def test_a_scene_of_any_length_gives_its_first_frame_and_one_near_its_middle(frames: int) -> None:
    picker, _ = picked(frames)
    end_s = frames / 25
    first, middle = picker.close(end_s)
    assert first.index == 0
    assert abs(middle.time_s - end_s / 2) <= max(0.125, 2 * end_s / CANDIDATES)
    assert middle.image()[0, 0, 0] == middle.index % 256


def test_the_middle_of_a_short_scene_is_exact() -> None:
    picker, _ = picked(25)
    assert picker.close(1.0)[1].index == 12


def test_only_frames_that_are_kept_are_scaled() -> None:
    _, stills = picked(50 * 25)
    assert sum(still.scaled for still in stills) <= 50 * 4


def test_frames_after_a_cut_that_is_named_late_belong_to_the_next_scene() -> None:
    picker, _ = picked(100)
    picker.close(80 / 25)
    for index in range(100, 120):
        picker.add(Still(index, index / 25))
    first, middle = picker.close(120 / 25)
    assert (first.index, middle.index) == (80, 100)


def test_large_frames_are_not_kept_by_the_dozen() -> None:
    picker = ThumbnailPicker(recent_s=10.0, longest_px=336)
    stills = [Still(index, index / 25) for index in range(60)]
    for still in stills:
        still.size_bytes = 50_000_000
        picker.add(still)
    assert stills[20].scaled or picker.kept
    assert picker.close(60 / 25)[0].index == 0
