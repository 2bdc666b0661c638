"""A light film, as most video of the web is: real clips joined, at a low bitrate.

A program's drawings move everywhere; of real ones at this rate most stands still, which decodes
faster and leaves all else more to answer for. So this film is made of real clips and is not there
without them.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.clips import X264, once, repeat
from benchmarks.film import FPS

if TYPE_CHECKING:
    import av

CLIPS = (
    "car-detection.mp4",
    "bottle-detection.mp4",
    "head-pose-face-detection-female.gif",
    "face-demographics-walking.gif",
)
WIDTH, HEIGHT, BITS_PER_S = 1280, 720, 900_000
LOOPS = 4
VERSION = 1
"""Raised when the film is made otherwise."""


def light_film(folder: Path, source: Path) -> Path | None:
    """About five minutes at 720p and 0.9 Mbit/s; nothing where the clips are not all there.

    Args:
        folder: Where it is kept.
        source: The folder of the clips.
    """
    clips = [source / name for name in CLIPS]
    if not all(clip.is_file() for clip in clips):
        return None

    def make(partial: Path) -> None:
        loop = partial.with_suffix(".loop.mp4")
        try:
            frames = _encode(loop, clips)
            repeat(loop, partial, LOOPS, frames / FPS)
        finally:
            loop.unlink(missing_ok=True)

    return once(folder / f"light-{HEIGHT}p-x{LOOPS}-v{VERSION}.mp4", make)


def _encode(path: Path, clips: list[Path]) -> int:
    """Write the clips one after another; how many frames they are."""
    import av

    count = 0
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=FPS, options=X264)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.bit_rate = BITS_PER_S
        for clip in clips:
            for picture in _at_rate(clip):
                picture.pts, picture.time_base = count, Fraction(1, FPS)
                container.mux(stream.encode(picture))
                count += 1
        container.mux(stream.encode(None))
    return count


def _at_rate(clip: Path) -> Iterator[av.VideoFrame]:
    """A clip's frames at the film's size and rate: some are shown twice, or not at all."""
    import av

    with av.open(str(clip)) as container:
        shown = 0
        for frame in container.decode(video=0):
            picture = frame.reformat(WIDTH, HEIGHT, "yuv420p")
            while shown <= round((frame.time or 0.0) * FPS):
                yield picture
                shown += 1
