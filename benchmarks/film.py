"""Draws a film that costs as much to decode as a real one. Knows no files.

Real pictures are hard to code because everything in them moves a little, never by whole pixels,
and under grain that no motion predicts. So every shot is a textured landscape with the spectrum
of natural pictures, slowly panned, zoomed and turned, with a second layer that passes in front of
it at another speed, and film grain over all.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Plane = NDArray[np.uint8]

FPS = 25
_FADE_FRAMES = 12
_FADE_EVERY_SHOTS = 4
_GRAIN_LEVELS = 4.0
"""Standard deviation, of 255 levels."""
_GRAIN_TILES = 12
_MARGIN = 1.35
"""How much larger the landscape is than the frame: what there is to pan over."""
_BLACK = 16


@dataclass(frozen=True)
class Shot:
    """A stretch between two cuts."""

    first_frame: int
    frames: int
    fades: bool
    """Whether it ends in a fade to black, out of which the next shot comes."""


def shots(duration_s: float, seed: int) -> list[Shot]:
    """Cut a film into shots of two to four and a half seconds."""
    rng = np.random.default_rng(seed)
    total = round(duration_s * FPS)
    cut: list[Shot] = []
    at = 0
    while at < total:
        frames = int(rng.integers(2 * FPS, round(4.5 * FPS)))
        if total - at - frames < 2 * FPS:
            frames = total - at
        last = at + frames == total
        cut.append(Shot(at, frames, fades=not last and (len(cut) + 1) % _FADE_EVERY_SHOTS == 0))
        at += frames
    return cut


def frames(cut: list[Shot], width: int, height: int, seed: int) -> Iterator[Plane]:
    """Draw all frames.

    Yields:
        Arrays of shape (height * 3 / 2, width): planes Y, U and V as yuv420p has them.
    """
    rng = np.random.default_rng(seed)
    grain = [
        rng.normal(0, _GRAIN_LEVELS, (height, width)).astype(np.float32)
        for _ in range(_GRAIN_TILES)
    ]
    fades_in = False
    for number, shot in enumerate(cut):
        scene = _Scenery(width, height, np.random.default_rng([seed, number]))
        for index in range(shot.frames):
            light = 1.0
            if fades_in and index < _FADE_FRAMES:
                light = (index + 1) / _FADE_FRAMES
            if shot.fades and shot.frames - index <= _FADE_FRAMES:
                light = (shot.frames - index - 1) / _FADE_FRAMES
            # The same few sheets of grain, shifted: no two frames have the same.
            sheet = np.roll(
                grain[int(rng.integers(_GRAIN_TILES))],
                (int(rng.integers(height)), int(rng.integers(width))),
                axis=(0, 1),
            )
            yield scene.frame(index / shot.frames, light, sheet)
        fades_in = shot.fades


class _Scenery:
    """What one shot shows: two layers, and a camera that moves over them."""

    def __init__(self, width: int, height: int, rng: np.random.Generator) -> None:
        self._size = (width, height)
        large = (round(width * _MARGIN), round(height * _MARGIN))
        self._back = _layer(large, rng, brightness=rng.uniform(60, 190))
        self._front = _layer(large, rng, brightness=rng.uniform(40, 215))
        coarse = _octaves(large, rng, first=3, last=5)
        # Soft edges a few pixels wide, as a lens makes them.
        self._mask = np.clip((coarse - 0.62) * 25, 0, 1).astype(np.float32)
        self._pan_px = rng.uniform(-0.14, 0.14, 2) * width
        self._front_pan_px = self._pan_px * rng.uniform(1.2, 1.8) + rng.uniform(-0.05, 0.05, 2) * (
            width
        )
        self._zoom = rng.uniform(-0.08, 0.08)
        self._turn_deg = rng.uniform(-2, 2)

    def frame(self, progress: float, light: float, grain: NDArray[np.float32]) -> Plane:
        back_at = self._camera(progress, self._pan_px)
        front_at = self._camera(progress, self._front_pan_px)
        mask = self._seen(self._mask, front_at, 1)
        planes = []
        for number, (back, front) in enumerate(zip(self._back, self._front, strict=True)):
            shrink = 2 if number else 1
            width, height = self._size[0] // shrink, self._size[1] // shrink
            here = mask if shrink == 1 else cv2.resize(mask, (width, height))
            far = self._seen(back, back_at, shrink)
            near = self._seen(front, front_at, shrink)
            seen = far + (near - far) * here
            rest = 128.0 if number else float(_BLACK)
            seen = rest + (seen - rest) * light
            if not number:
                seen = seen + grain
            planes.append(np.clip(seen, 16, 240).astype(np.uint8).reshape(-1))
        width, height = self._size
        return np.concatenate(planes).reshape(height * 3 // 2, width)

    def _camera(self, progress: float, pan_px: NDArray[np.float64]) -> NDArray[np.float64]:
        """From places in the frame to places in the landscape."""
        width, height = self._size
        middle = (width / 2, height / 2)
        matrix = cv2.getRotationMatrix2D(
            middle, self._turn_deg * progress, 1.0 + self._zoom * progress
        )
        spare = (np.array(self._size) * (_MARGIN - 1)) / 2
        matrix[:, 2] += spare + pan_px * (progress - 0.5)
        return np.asarray(matrix)

    def _seen(
        self, plane: NDArray[np.float32], camera: NDArray[np.float64], shrink: int
    ) -> NDArray[np.float32]:
        matrix = camera.copy()
        matrix[:, 2] /= shrink
        size = (self._size[0] // shrink, self._size[1] // shrink)
        seen = cv2.warpAffine(
            plane, matrix, size, flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REFLECT,
        )  # fmt: skip
        return np.asarray(seen, dtype=np.float32)


def _layer(
    size: tuple[int, int], rng: np.random.Generator, brightness: float
) -> list[NDArray[np.float32]]:
    """Planes Y, U and V of a texture, colour at half the resolution."""
    half = (size[0] // 2, size[1] // 2)
    luma = brightness + 150 * (_octaves(size, rng, first=1, last=9) - 0.5)
    tints = rng.uniform(-45, 45, 2)
    chroma = [128 + tint + 50 * (_octaves(half, rng, first=1, last=5) - 0.5) for tint in tints]
    return [luma.astype(np.float32), *(plane.astype(np.float32) for plane in chroma)]


def _octaves(
    size: tuple[int, int], rng: np.random.Generator, first: int, last: int
) -> NDArray[np.float32]:
    """Noise whose amplitude falls with its frequency, as in natural pictures; from 0 to 1."""
    total = np.zeros((size[1], size[0]), dtype=np.float32)
    for octave in range(first, last + 1):
        cells = (2**octave + 1, 2**octave * size[1] // size[0] + 1)
        coarse = rng.random((cells[1], cells[0]), dtype=np.float32) - 0.5
        total += cv2.resize(coarse, size, interpolation=cv2.INTER_CUBIC) / 1.35 ** (octave - first)
    low, high = float(total.min()), float(total.max())
    return np.asarray((total - low) / (high - low), dtype=np.float32)
