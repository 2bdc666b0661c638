"""How well token counts explain the time of a scene, and which times they do not explain.

Works on scenes, seconds and tokens; knows nothing of run folders or pages.

The fit is least squares of seconds on counts of tokens. Outliers are handled first:

1. Single scenes that are far off within their own video are found by a robust z (deviation divided
   by the median absolute deviation; Iglewicz and Hoaglin, "How to Detect and Handle Outliers",
   1993, use 3.5 as the limit) and left out.
2. A whole video that is off must not bend the line by which it is judged. Each video is compared
   with the fit to all others; the one furthest off is set aside, and so on until none is off.
3. Counts that are constant, or follow from others, have no separate effect that could be
   estimated: they are dropped and named.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from kairos_lib.statistics.regression import (
    Array,
    Why,
    explained,
    independent,
    least_squares,
    sigma,
)

Mask = np.ndarray[Any, np.dtype[np.bool_]]
Token = Literal["new", "prompt", "visual"]
TOKENS: tuple[Token, ...] = ("new", "prompt", "visual")
"""In order of precedence: of two collinear kinds, the first is kept."""
FEWEST_SCENES = 8
FAR = 3.5
"""A time whose robust z is at least this is not explained."""
NEAR = 0.02
"""Smallest spread that is used, as a share of a typical scene's time: otherwise times that repeat
exactly would be judged too strictly."""
FEWEST_OF_A_VIDEO = 5
"""Scenes needed for a spread of their own; with fewer, the spread of all scenes is used."""
ALIKE = 0.05
"""Videos whose mean times differ by less than this have no difference to explain."""


@dataclass(frozen=True)
class SceneTime:
    """One scene, captioned on its own."""

    video: str
    scene: int
    seconds: float
    new: float
    prompt: float
    visual: float


@dataclass(frozen=True)
class Slope:
    """Time per additional token of a kind."""

    seconds: float
    low: float | None
    """Ends of a 95 % interval; None if a single scene determines it."""
    high: float | None


@dataclass(frozen=True)
class OddVideo:
    """A video whose scenes' times differ from what tokens predict from the other videos."""

    video: str
    ratio: float
    """Its time divided by the expected time."""
    z: float


@dataclass(frozen=True)
class OddScene:
    """A scene whose time differs from what tokens predict from the rest of its video."""

    time: SceneTime
    expected_s: float
    z: float


@dataclass(frozen=True)
class Fit:
    """How well tokens explain one model's times."""

    scenes: int
    """All scenes; odd ones, and those of odd videos, were left out of the fit."""
    base_s: float
    """Time of a scene without tokens."""
    slopes: dict[Token, Slope]
    dropped: dict[Token, Why]
    explained_scenes: float
    """Share of the variation between the fitted scenes that is explained (R²)."""
    explained_videos: float | None
    """Share of the variation between the videos' means that is explained, odd ones included; None
    if there is only one video, or they do not differ."""
    pinned: bool
    """Whether tokens vary enough within videos to separate their effect from other differences
    between videos."""
    expected_s: dict[str, float]
    """Mean seconds per scene of each video, as predicted by its tokens."""
    odd_videos: tuple[OddVideo, ...]
    odd_scenes: tuple[OddScene, ...]


@dataclass(frozen=True)
class _Data:
    """Scenes as columns."""

    seconds: Array
    tokens: Array
    """Shape (scenes, kinds of token)."""
    video: Array
    """Index of each scene's video."""

    def where(self, chosen: Mask) -> _Data:
        return _Data(self.seconds[chosen], self.tokens[chosen], self.video[chosen])

    def numbers(self) -> list[int]:
        return sorted(set(self.video.tolist()))

    @property
    def near_s(self) -> float:
        return NEAR * float(np.median(self.seconds))


def fit(times: Sequence[SceneTime]) -> Fit | None:
    """Fit seconds to tokens; None if there are too few scenes."""
    if len(times) < FEWEST_SCENES:
        return None
    videos = list(dict.fromkeys(time.video for time in times))
    data = _Data(
        np.array([time.seconds for time in times]),
        np.array([[getattr(time, name) for name in TOKENS] for time in times], dtype=np.float64),
        np.array([videos.index(time.video) for time in times]),
    )
    scene_z = _scene_z(data)
    usual = np.abs(scene_z) <= FAR
    odd = _odd_videos(data.where(usual))
    even = data.where(usual & ~np.isin(data.video, [number for number, _, _ in odd]))
    kept, dropped = independent(even.tokens)
    base_s, slopes_s, half_s = least_squares(even.tokens[:, kept], even.seconds)
    expected_s = base_s + data.tokens[:, kept] @ slopes_s
    of_video = [data.video == number for number in range(len(videos))]
    means_s = np.array([data.seconds[own].mean() for own in of_video])
    expected_means_s = np.array([expected_s[own].mean() for own in of_video])
    within_s = expected_s.copy()
    for own in of_video:
        within_s[own] += np.median((data.seconds - expected_s)[own])
    differ = len(videos) > 1 and means_s.max() >= (1 + ALIKE) * means_s.min()
    return Fit(
        scenes=len(times),
        base_s=base_s,
        slopes={
            TOKENS[column]: _slope(float(slopes_s[at]), None if half_s is None else half_s[at])
            for at, column in enumerate(kept)
        },
        dropped={TOKENS[column]: why for column, why in dropped.items()},
        explained_scenes=explained(even.seconds, base_s + even.tokens[:, kept] @ slopes_s),
        explained_videos=explained(means_s, expected_means_s) if differ else None,
        pinned=_pinned(even, kept),
        expected_s={
            video: float(mean) for video, mean in zip(videos, expected_means_s, strict=True)
        },
        odd_videos=tuple(OddVideo(videos[number], ratio, z) for number, ratio, z in odd),
        odd_scenes=tuple(
            OddScene(times[at], float(within_s[at]), float(scene_z[at]))
            for at in np.flatnonzero(~usual).tolist()
        ),
    )


def _slope(seconds: float, half: float | None) -> Slope:
    if half is None:
        return Slope(seconds, None, None)
    return Slope(seconds, float(seconds - half), float(seconds + half))


def _scene_z(data: _Data) -> Array:
    """Robust z of each scene within its video, with slopes common to all videos."""
    z = np.zeros(len(data.seconds))
    # Once with all scenes, and once without those that bent the line.
    for _ in range(2):
        usual = np.abs(z) <= FAR
        x, y = _within(data, usual)
        left = y - x @ np.linalg.lstsq(x[usual], y[usual], rcond=None)[0]
        together = sigma(left)
        for number in data.numbers():
            own = data.video == number
            alone = sigma(left[own]) if own.sum() >= FEWEST_OF_A_VIDEO else 0.0
            z[own] = (left[own] - np.median(left[own])) / max(alone, together, data.near_s)
    return z


def _within(data: _Data, usual: Mask) -> tuple[Array, Array]:
    """Tokens and seconds, less the means of the usual scenes of each video."""
    x, y = data.tokens.copy(), data.seconds.copy()
    for number in data.numbers():
        own = data.video == number
        x[own] -= data.tokens[own & usual].mean(axis=0)
        y[own] -= data.seconds[own & usual].mean()
    return x, y


def _odd_videos(data: _Data) -> list[tuple[int, float, float]]:
    """Videos that the others do not explain, as index, ratio and z; the furthest off first."""
    found: list[tuple[int, float, float]] = []
    left = data
    while len(left.numbers()) > 1:
        judged = [(number, *_against_others(left, number)) for number in left.numbers()]
        far = [one for one in judged if abs(one[2]) > FAR]
        if not far:
            break
        # With two videos it cannot be decided which one is odd: the slower is reported.
        two = len(left.numbers()) == 2
        worst = max(far, key=lambda one: one[1] if two else abs(one[2]))
        found.append(worst)
        left = left.where(left.video != worst[0])
    return found


def _against_others(data: _Data, number: int) -> tuple[float, float]:
    """A video's time divided by what the others predict, and its z; 1 and 0 if they cannot."""
    own, others = data.where(data.video == number), data.where(data.video != number)
    kept, _ = independent(others.tokens)
    free = len(others.seconds) - len(kept) - 1
    # The effect of a count that does not vary in the others cannot be predicted.
    if free < 2 or set(independent(data.tokens)[0]) - set(kept):
        return 1.0, 0.0
    x = others.tokens[:, kept]
    base_s, slopes_s, _ = least_squares(x, others.seconds)
    spread_s = sigma(others.seconds - base_s - x @ slopes_s) * (len(x) / free) ** 0.5
    spread_s = max(spread_s, data.near_s)
    expected_s = base_s + own.tokens[:, kept] @ slopes_s
    away = own.tokens[:, kept].mean(axis=0) - x.mean(axis=0)
    leverage = 1 / len(own.seconds) + 1 / len(x) + _reach(x - x.mean(axis=0), away)
    error_s = (spread_s**2 * leverage + data.near_s**2) ** 0.5
    off_s = float(np.median(own.seconds - expected_s))
    mean_s = float(expected_s.mean())
    ratio = float(own.seconds.mean()) / mean_s if mean_s > 0 else float("inf")
    return ratio, off_s / error_s


def _reach(x: Array, away: Array) -> float:
    """Distance of a point from centred rows, relative to their spread."""
    scale = x.std(axis=0)
    unit, far = x / scale, away / scale
    return float(far @ np.linalg.pinv(unit.T @ unit) @ far)


def _pinned(data: _Data, kept: list[int]) -> bool:
    """Whether what tokens explain between videos follows from their effect within videos.

    True if the slopes within videos predict the differences between videos to within half of
    these differences.
    """
    x, y = _within(data, np.ones(len(data.seconds), dtype=bool))
    x = x[:, kept]
    if len(independent(x)[0]) < len(kept):
        return False
    left = y - x @ np.linalg.lstsq(x, y, rcond=None)[0]
    variance = max(sigma(left), data.near_s) ** 2
    all_means = data.tokens[:, kept].mean(axis=0)
    errors = differences = 0.0
    for number in data.numbers():
        own = data.video == number
        errors += variance * _reach(x, data.tokens[own][:, kept].mean(axis=0) - all_means)
        differences += float(data.seconds[own].mean() - data.seconds.mean()) ** 2
    return errors <= 0.25 * differences
