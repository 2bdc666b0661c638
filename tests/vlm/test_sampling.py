from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from kairos_lib.media.scene import Scene
from kairos_lib.media.video import VideoFile
from kairos_lib.parameters.model import Frames
from kairos_lib.vlm.sampling import Drawn, draw, frame_times_s, window_times_s

SCENES = [Scene(index=n, start_s=float(n), end_s=n + 1.0) for n in range(12)]


def sample(clip: Path, frames: Frames) -> Iterator[tuple[Scene, Drawn]]:
    wanted = [frame_times_s(scene.start_s, scene.end_s, frames) for scene in SCENES]
    return zip(SCENES, draw(clip, wanted, frames.longest_px), strict=True)


def shown_at(clip: Path, time_s: float) -> np.ndarray:
    frames = list(VideoFile(clip).frames())
    return next(f for f in reversed(frames) if f.time_s <= time_s + 1e-6).image(longest_px=96)


def test_start_and_middle_are_the_first_frame_and_the_one_at_half_time(clip: Path) -> None:
    for scene, drawn in sample(clip, Frames(longest_px=96)):
        assert drawn.times_s == pytest.approx((scene.start_s, scene.start_s + 0.5))
        assert (drawn.images[1] == shown_at(clip, scene.middle_s)).all()


@pytest.mark.parametrize("count", [2, 5, 16])
def test_even_sampling_takes_the_middle_of_equal_parts(clip: Path, count: int) -> None:
    frames = Frames(sampling="even", count=count, longest_px=96)
    for scene, drawn in sample(clip, frames):
        assert len(drawn.images) == count
        for number, time_s in enumerate(drawn.times_s):
            wanted_s = scene.start_s + (number + 0.5) / count
            assert wanted_s - 0.1 < time_s <= wanted_s + 1e-6


def test_windows_that_overlap_share_the_frames_of_one_pass(
    clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[float] = []
    real = VideoFile.at
    monkeypatch.setattr(
        VideoFile, "at", lambda self, times: asked.extend(times) or real(self, times)
    )
    wanted = list(window_times_s(12.0, window_s=4.0, stride_s=2.0, frames_per_second=2.0))
    windows = list(draw(clip, wanted, longest_px=96))
    assert [window.times_s[0] for window in windows] == [0, 2, 4, 6, 8, 10]
    assert [len(window.images) for window in windows] == [8, 8, 8, 8, 8, 4]
    assert asked == [i / 2 for i in range(24)]
    for window in windows:
        for image, time_s in zip(window.images, window.times_s, strict=True):
            assert (image == shown_at(clip, time_s)).all()


def test_a_video_shorter_than_a_window_is_one_window() -> None:
    assert list(window_times_s(1.5, 4.0, 2.0, 2.0)) == [[0, 0.5, 1.0]]


def test_groups_out_of_order_are_refused(clip: Path) -> None:
    with pytest.raises(ValueError, match="in order of time"):
        list(draw(clip, [[3.0], [1.0]], 96))
