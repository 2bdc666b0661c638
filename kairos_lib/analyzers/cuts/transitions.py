"""How one shot becomes the next: cuts, dissolves, fades, and flashes that are none of these.

Knows nothing of records on disk. Works on the brightness of 8 × 8 parts of frames some tenths of a
second apart: in a dissolve each part goes straight from its old value to its new one, in a fade to
black or white and back, and after a flash everything is as it was.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np

Kind = Literal["cut", "dissolve", "fade to", "fade from", "fade through", "flash"]

PLAIN_MEAN = 10
"""Levels of 255: a picture is black, or white, if it is no further away from it on average,"""
PLAIN_MOST = 24
"""and in none of its parts."""
FADE_FRAMES = 3
"""A fade has at least this many steps down or up,"""
FADED = 0.35
"""What has no more left of its light before a cut has faded to black: a frame later it is."""
FADE_STEP = 0.6
"""none of which is a larger share of it."""
DISSOLVE_S = (0.3, 2.5)
"""Shortest and longest that is looked for."""
DISSOLVE_LEVELS = 12.0
"""Mean difference of the two pictures: less is not seen to be a dissolve."""
DISSOLVE_PARTS = 0.5
"""Share of the parts that change, by 6 levels: something that comes into view changes fewer."""
PART_LEVELS = 6.0
DISSOLVE_OFF = 0.15
"""How far a step may be from where a steady dissolve would be, and, of the change, from the
straight line between the two pictures: films go on while they dissolve."""
ALIKE = 0.9
"""Two pictures with a higher correlation are one in another light."""
MOVING_OFF = 0.075
"""The same while the picture moves as a whole: a short pan that starts and stops was 0.18 off at
least, so half the limit is far from any."""
SLACK_S = 0.15
AROUND_S = 0.6
"""A flash is over after this time."""
SAME_LEVELS = 4.0
SAME_ALIKE = 0.98
FLASH_LEVELS = 12.0
TEXTURE_LEVELS = 6.0
"""Two pictures with less can be equally bright by chance."""


@dataclass(frozen=True)
class Looks:
    """What frames look like, in order of time."""

    time_s: np.ndarray
    """Shape (frames,)."""
    grid: np.ndarray
    """Brightness of the parts, 0 to 255, shape (frames, parts)."""
    moving: np.ndarray
    """Whether the picture as a whole has moved since the frame before, shape (frames,)."""


@dataclass(frozen=True)
class Transition:
    """From one shot to the next."""

    kind: Kind
    start_s: float
    end_s: float
    """The same as `start_s` for a cut."""
    colour: str = ""
    """Of a fade: black or white."""

    @property
    def name(self) -> str:
        """As it is told: `cut`, `fade to black`."""
        return f"{self.kind} {self.colour}".strip()


def transitions(looks: Looks, boundaries_s: Sequence[float]) -> list[Transition]:
    """All of a video, in order of time.

    Args:
        looks: Its frames.
        boundaries_s: Where its scenes meet: cuts, if nothing else explains them.
    """
    found = [*_fades(looks, "black"), *_fades(looks, "white")]
    found += [one for one in _dissolves(looks) if not _explained(one.start_s, one.end_s, found)]
    for boundary_s in boundaries_s:
        if _explained(boundary_s, boundary_s, found):
            continue
        since_s = max((one.end_s for one in found if one.end_s < boundary_s), default=0.0)
        if fade := _fade_before(looks, boundary_s, since_s):
            found.append(fade)
            continue
        kind: Kind = "flash" if _unchanged(looks, boundary_s) else "cut"
        found.append(Transition(kind, boundary_s, boundary_s))
    return sorted(found, key=lambda one: one.start_s)


def _explained(start_s: float, end_s: float, found: Sequence[Transition]) -> bool:
    """Whether a time is within something longer, or a frame away from it."""
    return any(
        start_s <= one.end_s + SLACK_S and end_s >= one.start_s - SLACK_S
        for one in found
        if one.end_s > one.start_s
    )


def _fades(looks: Looks, colour: str) -> Iterator[Transition]:
    """Stretches of black, or white, that the picture goes to or comes from little by little."""
    away = looks.grid if colour == "black" else 255 - looks.grid
    level = away.mean(1)
    plain = (level <= PLAIN_MEAN) & (away.max(1, initial=0) <= PLAIN_MOST)
    for first, last in _runs(plain):
        start, end = _slope(level, first, -1), _slope(level, last, 1)
        if start == first and end == last:
            continue
        kind: Kind = "fade through"
        # What is not faded is cut to, or cut from, between the plain frame and the one beside it.
        if end == last:
            kind, end = "fade to", min(last + 1, len(level) - 1)
        elif start == first:
            kind, start = "fade from", max(first - 1, 0)
        yield Transition(kind, float(looks.time_s[start]), float(looks.time_s[end]), colour)


def _fade_before(looks: Looks, boundary_s: float, since_s: float) -> Transition | None:
    """A fade to black that ends with the shot: the next begins before anybody has seen black.

    It begins after whatever the shot began with, at `since_s`.
    """
    first, after = np.searchsorted(looks.time_s, (since_s - 0.001, boundary_s - 0.001))
    level = looks.grid[first:after].mean(1)
    last = len(level) - 1
    if last < FADE_FRAMES:
        return None
    start = _slope(level, last, -1)
    if start == last or level[last] > FADED * level[start]:
        return None
    return Transition("fade to", float(looks.time_s[first + start]), boundary_s, "black")


def _runs(plain: np.ndarray) -> Iterator[tuple[int, int]]:
    """First and last of each run of marked frames."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], plain.astype(int), [0]])))
    for first, after in zip(edges[::2], edges[1::2], strict=True):
        yield int(first), int(after) - 1


def _slope(level: np.ndarray, at: int, way: int) -> int:
    """Where a steady way down to a plain frame begins, looking back or ahead.

    Itself if there is none.
    """
    other = at
    while 0 <= other + way < len(level) and level[other + way] > level[other] + 1:
        other += way
    steps = np.abs(np.diff(level[min(at, other) : max(at, other) + 1]))
    if len(steps) < FADE_FRAMES or steps.max() > FADE_STEP * steps.sum():
        return at
    return other


def _dissolves(looks: Looks) -> list[Transition]:
    """Places where each part goes straight to another value, and stays there as it was before."""
    candidates: list[tuple[float, int, int]] = []
    grid, times = looks.grid.astype(np.float32), looks.time_s
    if len(times) < 2:
        return []
    step_s = float(np.median(np.diff(times)))
    shortest, longest = (max(FADE_FRAMES, round(s / step_s)) for s in DISSOLVE_S)
    for length in range(shortest, min(longest, len(times) - 1) + 1):
        change = np.abs(grid[length:] - grid[:-length])
        size = change.mean(1)
        wide = (change > PART_LEVELS).mean(1) >= DISSOLVE_PARTS
        before = np.abs(grid[1:] - grid[:-1]).mean(1)
        # A frame further out must not go on at the same pace.
        pace = np.maximum(size / length / 2, 1.0)
        quiet = np.ones(len(size), bool)
        quiet[1:] &= before[: len(size) - 1] <= pace[1:]
        quiet[:-1] &= before[length:] <= pace[:-1]
        spans = times[length:] - times[:-length]
        possible = wide & quiet & (size >= DISSOLVE_LEVELS) & (spans <= 2 * DISSOLVE_S[1])
        for begin in np.flatnonzero(possible).tolist():
            end = begin + length
            off = _off(grid[begin : end + 1], times[begin : end + 1])
            moving = looks.moving[begin + 1 : end + 1].mean() >= 0.5
            if off <= (MOVING_OFF if moving else DISSOLVE_OFF):
                candidates.append((off, begin, end))
    found: list[Transition] = []
    for _, first, last in sorted(candidates):
        start_s, end_s = float(times[first]), float(times[last])
        if not any(start_s < one.end_s and end_s > one.start_s for one in found):
            found.append(Transition("dissolve", start_s, end_s))
    return found


def _off(grid: np.ndarray, times: np.ndarray) -> float:
    """How far a stretch is from a steady dissolve, as a share of its change; 1 if it is none."""
    way = grid[-1] - grid[0]
    if _correlation(grid[0], grid[-1]) > ALIKE:
        return 1.0
    place = (grid - grid[0]) @ way / (way @ way)
    steady = (times - times[0]) / (times[-1] - times[0])
    beside = grid - grid[0] - place[:, None] * way
    return max(
        float(np.abs(place - steady).max()),
        float(np.sqrt((beside**2).sum(1).max() / (way @ way))),
    )


def _unchanged(looks: Looks, boundary_s: float) -> bool:
    """Whether the picture after a boundary is the one before it."""
    since = looks.time_s - boundary_s
    before = looks.grid[(since >= -AROUND_S) & (since < -0.02)].astype(float)
    after = looks.grid[(since >= 0.0) & (since <= AROUND_S)].astype(float)
    for one in before:
        for other in after:
            if np.abs(one - other).mean() > SAME_LEVELS or _correlation(one, other) < SAME_ALIKE:
                continue
            if min(one.std(), other.std()) >= TEXTURE_LEVELS:
                return True
            near = looks.grid[np.abs(since) <= AROUND_S].mean(1)
            if np.abs(near - one.mean()).max() >= FLASH_LEVELS:
                return True
    return False


def _correlation(one: np.ndarray, other: np.ndarray) -> float:
    """Pearson's; 1 if neither has any texture."""
    a, b = one - one.mean(), other - other.mean()
    size = float(np.sqrt((a @ a) * (b @ b)))
    if size < 1:
        return 1.0 if max(a @ a, b @ b) < len(a) else 0.0
    return float(a @ b) / size


def places(found: Sequence[Transition], boundaries_s: Sequence[float]) -> list[float]:
    """Where one shot ends and the next begins, for each transition but flashes.

    That is where the scenes meet, if they do within it, or half way.
    """
    at: list[float] = []
    for one in found:
        if one.kind == "flash":
            continue
        inside = [s for s in boundaries_s if one.start_s <= s <= one.end_s]
        at.append(inside[-1] if inside else (one.start_s + one.end_s) / 2)
    assert all(a <= b for a, b in pairwise(at))
    return at
