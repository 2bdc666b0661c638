"""Which frames a model sees, decoded in one forward pass."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain, pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np

from kairos_lib.media.facts import Joint
from kairos_lib.media.video import VideoFile
from kairos_lib.parameters.model import Frames


class Drawn(NamedTuple):
    """The frames of one scene or window."""

    images: tuple[np.ndarray, ...]
    """RGB, shape (height, width, 3), uint8."""
    times_s: tuple[float, ...]
    """Presentation times of the frames that were actually used."""


def frame_times_s(start_s: float, end_s: float, frames: Frames) -> list[float]:
    """Times of the frames to show from a part of a video, in order.

    `start_middle` takes the first frame and the one in the middle; `even` splits the part into
    equal intervals and takes the middle of each.
    """
    if frames.sampling == "start_middle":
        return [start_s, (start_s + end_s) / 2]
    length_s = end_s - start_s
    return [start_s + (i + 0.5) / frames.count * length_s for i in range(frames.count)]


def window_times_s(
    duration_s: float, window_s: float, stride_s: float, frames_per_second: float
) -> Iterator[list[float]]:
    """Frame times for windows that slide over a video.

    Args:
        duration_s: Length of the video.
        window_s: Length of a window; the last ones end with the video.
        stride_s: From one window's start to the next one's. If less than a window, they overlap.
        frames_per_second: Sampling rate, counted from each window's start.
    """
    for number in range(max(1, -int(-duration_s // stride_s))):
        start_s = number * stride_s
        end_s = min(start_s + window_s, duration_s)
        count = max(1, -int(-(end_s - start_s) * frames_per_second // 1))
        yield [start_s + i / frames_per_second for i in range(count)]


def draw(
    video: Path,
    wanted: Sequence[Sequence[float]],
    longest_px: int,
    joints: Sequence[Joint] | None = None,
) -> Iterator[Drawn]:
    """Extract groups of frames with one decoder.

    Args:
        video: The file.
        wanted: For each group its times, ascending; groups in the order of their first time.
            They may overlap: a frame of several groups is decoded and scaled once.
        longest_px: Length of the longer side; smaller frames are not enlarged.
        joints: From a probe of the file; without them the file is scanned first.
    """
    _check(wanted)
    moments = sorted(set(chain.from_iterable(wanted)))
    frames = VideoFile(video, joints).at(moments)
    held: dict[float, tuple[np.ndarray, float]] = {}
    for number, group in enumerate(wanted):
        while group and group[-1] not in held:
            moment, frame = next(frames)
            held[moment] = frame.image(longest_px=longest_px), frame.time_s
        shown = [held[moment] for moment in group]
        yield Drawn(tuple(image for image, _ in shown), tuple(time_s for _, time_s in shown))
        following = wanted[number + 1][0] if number + 1 < len(wanted) else float("inf")
        held = {moment: image for moment, image in held.items() if moment >= following}


def _check(wanted: Sequence[Sequence[float]]) -> None:
    if any(not group or list(group) != sorted(group) for group in wanted):
        raise ValueError("each group needs moments, in ascending order")
    if any(first[0] > second[0] or first[-1] > second[-1] for first, second in pairwise(wanted)):
        raise ValueError("groups must begin and end in order of time")
