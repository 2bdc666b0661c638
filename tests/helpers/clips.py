"""Small videos made on the spot, each with a known truth."""

from __future__ import annotations

import os
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

RATE_HZ = 16_000


def write_clip(
    path: Path,
    colours: list[tuple[int, int, int]],
    seconds_each: float = 1.0,
    fps: int = 10,
    size: tuple[int, int] = (160, 90),
    tone: bool = True,
    start_pts: int = 0,
    options: dict[str, str] | None = None,
) -> Path:
    """One plain colour after another, with a bar that moves and, if wanted, a tone.

    The bar's place is the frame's number, so that a frame can be told from its neighbours.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    each = round(seconds_each * fps)
    with av.open(f"file:{path}", "w", format="mp4") as container:
        video = container.add_stream("libx264", rate=fps, options=options or {"g": "10"})
        video.width, video.height = size
        video.pix_fmt = "yuv420p"
        video.time_base = Fraction(1, fps)
        audio = None
        if tone:
            audio = container.add_stream("aac", rate=RATE_HZ)
            audio.layout = "mono"
        for number in range(each * len(colours)):
            image = np.full((size[1], size[0], 3), colours[number // each], dtype=np.uint8)
            at = (number * 4) % size[0]
            image[: size[1] // 4, at : at + 8] = 255 - image[0, 0]
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts = start_pts + number
            frame.time_base = Fraction(1, fps)
            container.mux(video.encode(frame))
        container.mux(video.encode())
        if audio is not None:
            seconds = seconds_each * len(colours)
            t = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
            samples = (np.sin(2 * np.pi * 440 * t) * 8000).astype(np.int16)[None, :]
            sound = av.AudioFrame.from_ndarray(samples, format="s16", layout="mono")
            sound.rate = RATE_HZ
            sound.pts = round(start_pts * RATE_HZ / fps)
            container.mux(audio.encode(sound))
            container.mux(audio.encode())
    return path


# Neighbours differ enough in hue and brightness for any detector to see the cut.
COLOURS = [
    (200, 30, 30), (20, 60, 160), (230, 220, 60), (10, 90, 30), (240, 240, 240), (60, 10, 90),
    (250, 140, 20), (5, 5, 5), (120, 200, 220), (150, 20, 60), (230, 200, 160), (30, 30, 110),
]  # fmt: skip


def bad_files(folder: Path) -> dict[str, Path]:
    """One of each kind of thing that is no video."""
    garbage = folder / "garbage.mp4"
    garbage.write_bytes(os.urandom(50_000))
    empty = folder / "empty.mp4"
    empty.touch()
    text = folder / "text.mp4"
    text.write_text("this is not a video\n" * 100)
    playlist = folder / "playlist.mp4"
    playlist.write_text("#EXTM3U\n#EXTINF:1,\nfile:///etc/hostname\n")
    script = folder / "script.mp4"
    script.write_text("ffconcat version 1.0\nfile garbage.mp4\n")
    pipe = folder / "pipe.mp4"
    os.mkfifo(pipe)
    (folder / "folder.mp4").mkdir()
    return {
        "can be read": garbage,
        "is empty": empty,
        "not a video that": text,
        "is not a video": playlist,
        "not a video": script,
        "not a regular file": pipe,
        "is a folder": folder / "folder.mp4",
        "there is no video at": folder / "nowhere.mp4",
    }
