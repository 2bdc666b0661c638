"""Cuts a scene's motion into stretches of one movement each.

Knows nothing of records on disk. A movement is told from the mean over a second, since shake is
many times faster than a slow pan; where it begins and ends is then found in the motion itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from kairos_lib.analyzers.camera.settings import CameraSettings

SMOOTH_S = 1.0
"""Span of the mean by which a movement is told."""
GAP_S = 0.5
"""Across a longer stretch without any measured motion nothing is claimed."""
AXES = 4
"""Right, down, zoom (natural logarithm), roll in degrees clockwise: of the picture, per second."""
STILL = "still"
HANDHELD = "handheld"


@dataclass(frozen=True)
class Track:
    """Measured motion of one scene, without a gap."""

    start_s: np.ndarray
    """Shape (steps,)."""
    end_s: np.ndarray
    speed: np.ndarray
    """Shape (steps, 4): widths per second right and down, logarithm of the size per second, degrees
    per second."""

    @property
    def step_s(self) -> np.ndarray:
        """How long each step is, shape (steps,)."""
        return np.asarray(self.end_s - self.start_s)

    def part(self, first: int, last: int) -> Track:
        """Some of its steps."""
        return Track(self.start_s[first:last], self.end_s[first:last], self.speed[first:last])

    def moved(self) -> np.ndarray:
        """How far it went on each axis, shape (4,)."""
        return np.asarray(self.step_s @ self.speed)

    def mean(self) -> np.ndarray:
        """Mean speed on each axis, shape (4,): how far it went in the time it took."""
        return np.asarray(self.moved() / self.step_s.sum())

    def shake(self) -> float:
        """Root mean square deviation from the smooth path, in widths of the picture."""
        times = np.concatenate([self.start_s[:1], self.end_s])
        path = np.concatenate([[[0, 0]], np.cumsum(self.speed[:, :2] * self.step_s[:, None], 0)])
        away = path - _smooth(times, path)
        return float(np.sqrt((away**2).sum(1).mean()))


@dataclass(frozen=True)
class Stretch:
    """A part of a track that moves in one way."""

    track: Track
    labels: tuple[str, ...]


def stretches(track: Track, settings: CameraSettings) -> Iterator[Stretch]:
    """Cut a track where its movement changes."""
    smooth = _speeds(track)
    ways = [_ways(speed, settings) for speed in smooth]
    bounds = _merged(_changes(ways), track, smooth, settings.shortest_s)
    bounds = _placed(bounds, track)
    parts = [track.part(first, last) for first, last in pairwise(bounds)]
    held: list[Track] = []
    for number, part in enumerate(parts):
        held.append(part)
        labels = labels_of(_joined(held), settings)
        following = parts[number + 1] if number + 1 < len(parts) else None
        if following is None or labels_of(following, settings) != labels:
            yield Stretch(_joined(held), labels)
            held = []


def labels_of(track: Track, settings: CameraSettings) -> tuple[str, ...]:
    """What the camera does: its movements, the fastest first, and whether it is held by hand."""
    moved = track.moved()
    far = (
        np.abs(moved) >= (settings.pan_widths, settings.pan_widths, _log(settings.zoom_percent),
                          settings.roll_deg)
    )  # fmt: skip
    speed = track.mean()
    names = [
        _name(axis, way) for axis, way in enumerate(_ways(speed, settings)) if way and far[axis]
    ]
    names.sort(key=lambda name: -_weight(name, speed, settings))
    if track.shake() > settings.shake_widths:
        names.append(HANDHELD)
    return tuple(names) or (STILL,)


NAMES = (
    ("pan left", "pan right"), ("tilt up", "tilt down"), ("zoom in", "zoom out"),
    ("roll anticlockwise", "roll clockwise"),
)  # fmt: skip
"""Of each axis, if the picture goes one way and the other: the camera turns the other way, but a
picture that grows is a zoom in."""


def _name(axis: int, way: int) -> str:
    return NAMES[axis][0 if way > 0 else 1]


def _weight(name: str, speed: np.ndarray, settings: CameraSettings) -> float:
    axis = next(number for number, pair in enumerate(NAMES) if name in pair)
    return float(np.abs(speed[axis]) / _least(settings)[axis])


def _log(percent: float) -> float:
    return float(np.log1p(percent / 100))


def _least(settings: CameraSettings) -> np.ndarray:
    """The slowest movement on each axis."""
    pan = settings.pan_widths_per_s
    return np.array([pan, pan, _log(settings.zoom_percent_per_s), settings.roll_deg_per_s])


def _ways(speed: np.ndarray, settings: CameraSettings) -> tuple[int, ...]:
    """-1, 0 or 1 on each axis."""
    least = _least(settings)
    return tuple(int(way) for way in np.sign(speed) * (np.abs(speed) >= least))


def _windows(times: np.ndarray) -> Iterator[tuple[int, int]]:
    """First and after the last of those around each time."""
    for time_s in times:
        first, last = np.searchsorted(times, (time_s - SMOOTH_S / 2, time_s + SMOOTH_S / 2))
        yield int(first), max(int(last), int(first) + 1)


def _speeds(track: Track) -> np.ndarray:
    """Mean speed around each step."""
    return np.array([track.part(*window).mean() for window in _windows(track.start_s)])


def _smooth(times: np.ndarray, path: np.ndarray) -> np.ndarray:
    """At each time, the straight line that fits what is around it best.

    Unlike a mean, it is exact for a steady movement at the ends and at uneven times.
    """
    smooth = path.astype(float)
    for number, (first, last) in enumerate(_windows(times)):
        if last - first > 2:
            since = times[first:last] - times[number]
            away = since - since.mean()
            slope = away @ path[first:last] / (away @ away)
            smooth[number] = path[first:last].mean(0) - slope * since.mean()
    return smooth


def _changes(ways: Sequence[tuple[int, ...]]) -> list[int]:
    """Where a new way begins, with the start and the end."""
    inner = [n for n in range(1, len(ways)) if ways[n] != ways[n - 1]]
    return [0, *inner, len(ways)]


def _merged(bounds: list[int], track: Track, smooth: np.ndarray, shortest_s: float) -> list[int]:
    """Without parts that are too short: each joins the neighbour that it resembles more."""
    bounds = list(bounds)
    while len(bounds) > 2:
        lengths = [track.end_s[b - 1] - track.start_s[a] for a, b in pairwise(bounds)]
        short = int(np.argmin(lengths))
        if lengths[short] >= shortest_s:
            break
        means = [smooth[a:b].mean(0) for a, b in pairwise(bounds)]
        near = [n for n in (short - 1, short + 1) if 0 <= n < len(means)]
        closest = min(near, key=lambda n: float(np.abs(means[n] - means[short]).sum()))
        del bounds[max(short, closest)]
    return bounds


def _placed(bounds: list[int], track: Track) -> list[int]:
    """Each change where two steady movements explain what is around it best.

    The mean that told them apart has blurred it by half its span.
    """
    placed = list(bounds)
    scale = track.speed.std(0) + 1e-9
    for number in range(1, len(bounds) - 1):
        first = np.searchsorted(track.start_s, track.start_s[bounds[number]] - SMOOTH_S)
        last = np.searchsorted(track.start_s, track.start_s[bounds[number]] + SMOOTH_S)
        low = max(int(first), placed[number - 1])
        high = min(int(last), bounds[number + 1])
        around = track.speed[low:high] / scale

        def rest(at: int, around: np.ndarray = around) -> float:
            return float(sum(len(p) * p.var(0).sum() for p in (around[:at], around[at:])))

        if len(around) >= 2:
            placed[number] = low + min(range(1, len(around)), key=rest)
    return placed


def _joined(parts: Sequence[Track]) -> Track:
    return Track(
        np.concatenate([part.start_s for part in parts]),
        np.concatenate([part.end_s for part in parts]),
        np.concatenate([part.speed for part in parts]),
    )
