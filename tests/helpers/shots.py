"""Films of several shots, joined in every way that is known in the cutting room."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import chain

import cv2
import numpy as np

from helpers.moves import FPS, View, seen, tinted

SIZE = (320, 180)
PLACES = ((500, 500), (1500, 1400), (1400, 500), (500, 1500), (1000, 1000))
Shown = Callable[[float], np.ndarray]
"""The picture at a time in seconds: RGB, shape (height, width, 3), uint8."""


def drift(number: int, px_per_s: float = 12.0) -> Shown:
    """A shot of one place of the wall, from a camera that hardly moves."""
    x, y = PLACES[number % len(PLACES)]

    def shown(t: float) -> np.ndarray:
        return tinted(seen(View(x + px_per_s * t, y), SIZE), number)

    return shown


def plain(level: int) -> Shown:
    """One colour: black or white, say."""
    return lambda _t: np.full((SIZE[1], SIZE[0], 3), level, np.uint8)


def during(one: Shown, seconds: float, since_s: float = 0.0) -> Iterator[np.ndarray]:
    """A shot for a while."""
    for number in range(round(seconds * FPS)):
        yield one(since_s + number / FPS)


def blend(
    one: Shown, other: Shown, seconds: float, ages_s: tuple[float, float] = (0.0, 0.0)
) -> Iterator[np.ndarray]:
    """From one to the other bit by bit, both going on: a dissolve, or a fade with a plain one."""
    count = round(seconds * FPS)
    for number in range(count):
        share, t = (number + 1) / (count + 1), number / FPS
        yield cv2.addWeighted(one(ages_s[0] + t), 1 - share, other(ages_s[1] + t), share, 0)


def edited() -> Iterator[np.ndarray]:
    """A cut at 1.4 s, a dissolve from 2.8 s, a fade through black from 5.0 s, a cut at 9.0 s.

    At 7.8 s is a flash of two frames, which is no cut.
    """
    return chain(
        during(drift(0), 1.4),
        during(drift(1), 1.4),
        blend(drift(1), drift(2), 0.8, (1.4, 0.0)),
        during(drift(2), 1.4, 0.8),
        blend(drift(2), plain(0), 0.6, (2.2, 0.0)),
        during(plain(0), 0.4),
        blend(plain(0), drift(3), 0.6),
        during(drift(3), 1.2, 0.6),
        during(plain(250), 0.08),
        during(drift(3), 1.2, 1.88),
        during(drift(4), 1.4),
    )
