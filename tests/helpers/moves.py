"""Films of a textured wall, by a camera whose every move is known."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np

SIZE = (640, 360)
FPS = 25
WALL_PX = 2000
TINTS = ((8, 4, 3), (3, 8, 4), (4, 3, 8), (8, 8, 2), (2, 8, 8))
"""Eighths of red, green and blue."""


@dataclass(frozen=True)
class View:
    """Where the camera looks."""

    x_px: float = 1000.0
    y_px: float = 1000.0
    zoom: float = 1.0
    roll_deg: float = 0.0
    """Of the camera, clockwise."""


Walk = Callable[[float], View]
"""The view at a time in seconds."""
Change = Callable[[np.ndarray, float], np.ndarray]
"""Something done to a frame of some time."""


@functools.cache
def wall() -> np.ndarray:
    """Blots of all sizes in grey, shape (WALL_PX, WALL_PX), uint8."""
    random = np.random.default_rng(0)
    sum_ = np.zeros((WALL_PX, WALL_PX), np.float32)
    for size, strength in ((8, 1), (32, 2), (128, 4), (300, 4)):
        blots = random.standard_normal((WALL_PX // size + 2,) * 2).astype(np.float32)
        sum_ += strength * cv2.resize(blots, (WALL_PX, WALL_PX), interpolation=cv2.INTER_CUBIC)
    return np.clip(sum_ / sum_.std() * 45 + 128, 0, 255).astype(np.uint8)


def seen(view: View, size: tuple[int, int] = SIZE) -> np.ndarray:
    """What the camera sees, grey, shape (height, width)."""
    angle, near = np.deg2rad(view.roll_deg), 1 / view.zoom
    turn = near * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    corner = np.array([view.x_px, view.y_px]) - turn @ (np.array(size) / 2)
    return cv2.warpAffine(
        wall(), np.column_stack([turn, corner]), size,
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_REFLECT,
    )  # fmt: skip


def tinted(grey: np.ndarray, number: int) -> np.ndarray:
    """In one of a few colours, so that two shots cannot be taken for one: RGB."""
    return (grey[..., None] * np.array(TINTS[number % len(TINTS)], np.uint16) // 8).astype(np.uint8)


def shot(
    path: Walk, seconds: float, tint: int = 0, change: Change | None = None, fps: int = FPS
) -> Iterator[np.ndarray]:
    """Frames of one move, in RGB."""
    for number in range(round(seconds * fps)):
        image = tinted(seen(path(number / fps)), tint)
        yield image if change is None else change(image, number / fps)


def film(
    path: Path,
    frames: Iterator[np.ndarray] | Sequence[np.ndarray],
    fps: int = FPS,
    ticks: Sequence[int] | None = None,
    options: dict[str, str] | None = None,
) -> Path:
    """Write frames as they come, RGB or grey.

    Args:
        path: The file.
        frames: All of one size.
        fps: Frames per second.
        ticks: Presentation time of each in thousandths of a second, if not at a steady rate.
        options: The encoder's.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(f"file:{path}", "w") as container:
        stream = None
        for number, image in enumerate(frames):
            if stream is None:
                chosen = options or {"preset": "ultrafast", "crf": "16", "g": "50"}
                stream = container.add_stream("libx264", rate=fps, options=chosen)
                stream.height, stream.width = image.shape[:2]
                stream.pix_fmt = "yuv420p"
                if ticks:
                    stream.codec_context.time_base = Fraction(1, 1000)
            kind = "gray" if image.ndim == 2 else "rgb24"
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format=kind)
            frame.pts = ticks[number] if ticks else number
            frame.time_base = Fraction(1, 1000 if ticks else fps)
            container.mux(stream.encode(frame))
        assert stream is not None
        container.mux(stream.encode(None))
    return path
