"""Cuts a scene's motion into stretches of one movement each.

Knows nothing of records on disk. A movement is told from the mean over a second, since shake is
many times faster than a slow pan; where it begins and ends is then found in the motion itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from heapq import heapify, heappop, heappush
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
        return float(np.sqrt(_away(self.times(), self.path()).mean()))

    def times(self) -> np.ndarray:
        """Of its start and of each step's end, shape (steps + 1,)."""
        return np.concatenate([self.start_s[:1], self.end_s])

    def path(self) -> np.ndarray:
        """Widths right and down from the start at these times, shape (steps + 1, 2)."""
        return _summed(self.speed[:, :2] * self.step_s[:, None])


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
    told = _Told(track, settings)
    begin = bounds[0]
    for end, next_end in zip(bounds[1:], [*bounds[2:], None], strict=True):
        labels = told.of(begin, end)
        if next_end is None or told.of(end, next_end) != labels:
            yield Stretch(track.part(begin, end), labels)
            begin = end


class _Told:
    """What the camera does in any part of a track, in a time that does not grow with the part.

    How far it went is a difference of sums. Of the smooth path, only what is near a part's ends
    depends on where it is cut; the rest is smoothed once.
    """

    def __init__(self, track: Track, settings: CameraSettings) -> None:
        self._settings = settings
        self._start_s = track.start_s
        self._step_s = _summed(track.step_s)
        self._moved = _summed(track.speed * track.step_s[:, None])
        self._times = track.times()
        self._path = track.path()
        self._away = _summed(_away(self._times, self._path))

    def of(self, first: int, last: int) -> tuple[str, ...]:
        """Its movements, the fastest first, and whether it is held by hand."""
        settings = self._settings
        moved = self._moved[last] - self._moved[first]
        far = (
            np.abs(moved) >= (settings.pan_widths, settings.pan_widths, _log(settings.zoom_percent),
                              settings.roll_deg)
        )  # fmt: skip
        speed = moved / (self._step_s[last] - self._step_s[first])
        names = [
            _name(axis, way) for axis, way in enumerate(_ways(speed, settings)) if way and far[axis]
        ]
        names.sort(key=lambda name: -_weight(name, speed, settings))
        if self._shake(first, last) > settings.shake_widths:
            names.append(HANDHELD)
        return tuple(names) or (STILL,)

    def _shake(self, first: int, last: int) -> float:
        """`Track.shake` of a part."""
        start_s, end_s, end = self._start_s[first], self._times[last], last + 1
        low, left = np.searchsorted(self._times, (start_s + SMOOTH_S, start_s + 2 * SMOOTH_S))
        right, high = np.searchsorted(self._times, (end_s - 2 * SMOOTH_S, end_s - SMOOTH_S))
        if low >= high:
            return float(np.sqrt(self._away_in(first, end, first).mean()))
        # Both reach further than a window does, so that each is smoothed as in the whole part.
        before = self._away_in(first, int(left), first)[: low - first].sum()
        after = self._away_in(int(right), end, first)[high - right :].sum()
        between = self._away[high] - self._away[low]
        return float(np.sqrt((before + between + after) / (end - first)))

    def _away_in(self, low: int, high: int, first: int) -> np.ndarray:
        times = self._times[low:high].copy()
        if low == first:
            times[0] = self._start_s[first]  # After a short gap, not where the step before ended.
        return _away(times, self._path[low:high])


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


def _away(times: np.ndarray, path: np.ndarray) -> np.ndarray:
    """Square of the distance from the smooth path at each time."""
    return np.asarray(((path - _smooth(times, path)) ** 2).sum(1))


def _summed(values: np.ndarray) -> np.ndarray:
    """Sums of all before each, and of all: that of a part is the difference of two."""
    return np.concatenate([np.zeros((1, *values.shape[1:])), np.cumsum(values, 0)])


def _changes(ways: Sequence[tuple[int, ...]]) -> list[int]:
    """Where a new way begins, with the start and the end."""
    inner = [n for n in range(1, len(ways)) if ways[n] != ways[n - 1]]
    return [0, *inner, len(ways)]


def _merged(bounds: list[int], track: Track, smooth: np.ndarray, shortest_s: float) -> list[int]:
    """Without parts that are too short: each joins the neighbour that it resembles more."""
    sums = _summed(smooth)
    ends = dict(pairwise(bounds))
    """Of each part that is left, by its start, in order."""
    begins = {end: start for start, end in ends.items()}

    def length_s(start: int) -> float:
        return float(track.end_s[ends[start] - 1] - track.start_s[start])

    def mean(start: int) -> np.ndarray:
        return np.asarray((sums[ends[start]] - sums[start]) / (ends[start] - start))

    shortest = [(length_s(start), start) for start in ends]
    heapify(shortest)
    while len(ends) > 1:
        long_s, start = heappop(shortest)
        if start not in ends or long_s != length_s(start):
            continue  # It has been joined since.
        if long_s >= shortest_s:
            break
        near = [n for n in (begins.get(start), ends[start]) if n is not None and n in ends]
        own = mean(start)
        apart = {n: float(np.abs(mean(n) - own).sum()) for n in near}
        closest = min(apart, key=apart.__getitem__)
        first, second = sorted((start, closest))
        ends[first] = ends.pop(second)
        begins[ends[first]] = first
        heappush(shortest, (length_s(first), first))
    return [*ends, bounds[-1]]


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
