"""How one small grey picture becomes the next: a similarity, and what does not follow it.

Knows nothing of frames or times. Dense optical flow (DIS: Kroeger et al., "Fast Optical Flow using
Dense Inverse Search", 2016) says where each part of the picture went. A similarity is fitted to it:
a guess that most points follow, then re-weighted least squares. It is refined on the pictures' own
brightness (Lucas and Kanade, 1981), because the flow of small patches is some hundredths short of a
zoom or a roll. Whether the result can be believed is checked on the pictures: flow is smooth even
between pictures that have nothing in common.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from kairos_lib.analyzers.motion.similarity import (
    FOLLOWS_PX,
    STEP_PX,
    STILL,
    TO_SIGMA,
    Similarity,
    fitted,
)

SMALLEST_PX = 32
"""OpenCV's DIS crashes the process on pictures with a shorter side than this."""
BORDER_PX = 3
CORNER_PX = 7
CORNER_AT_LEAST = 1e-5
"""Least eigenvalue of the structure tensor as OpenCV scales it (Shi and Tomasi, 1994): below, a
point is flat or on a straight edge, and its flow is a guess of its neighbours'."""
POINTS_AT_LEAST = 20
FINEST_SCALE = 1
"""Half of the size. The presets' quarter blurs what moves by itself by twice as much."""
LOST_SHARE = 0.5
"""If fewer points follow, flow is tried again from where phase correlation says."""
PARTS = 4
EDGE_LEVELS = 3.0
"""Levels of grey per pixel that make an edge."""
EDGE_PX = 0.5
"""An edge is where it should be if it is no further away across itself."""
STAYS_SHARE = 0.1
"""The picture is still if by so much more of the edges stay than move along."""
REFINE_ROUNDS = 3
REFINE_PX = 2
"""Every other row and column is enough."""
REFINED_PX = 0.002
"""A smaller step ends the refinement."""
NOISE_LEVELS = 0.5
"""Rounding to whole levels of grey."""


class _Pair(NamedTuple):
    """Two pictures, blurred a little."""

    first: np.ndarray
    """At every other row and column, as its slopes."""
    gx: np.ndarray
    """Slope of the first rightwards, in levels per pixel."""
    gy: np.ndarray
    second: np.ndarray
    """Whole."""


class _Agreement(NamedTuple):
    share: float
    """Of the pixels on edges that are where they should be."""
    alike: float
    """Correlation of the two pictures there."""
    spread: float
    """In which share of the picture's parts there are any."""


@dataclass(frozen=True)
class Alignment:
    """One picture brought onto another."""

    similarity: Similarity
    inliers: float
    """Share of the points with texture that follow the similarity."""
    alike: float
    """Correlation of the two pictures where they do, once aligned: 1 is the same but for
    brightness and contrast."""
    spread: float
    """Share of the 4 × 4 parts of the picture in which any point follows."""
    loose: float
    """Share of the points with texture, of those still in the picture, that do not follow it."""
    apart_px: float
    """Mean distance from the similarity of these."""


class Aligner:
    """Aligns pictures of one size.

    Args:
        shape: Height and width.
    """

    def __init__(self, shape: tuple[int, int]) -> None:
        import cv2

        self._cv2: Any = cv2
        flows: Any = cv2
        self._flow = flows.DISOpticalFlow_create(flows.DISOPTICAL_FLOW_PRESET_ULTRAFAST)
        self._flow.setFinestScale(FINEST_SCALE)
        self._height, self._width = shape
        self._centre = np.array([(self._width - 1) / 2, (self._height - 1) / 2])
        self._rows = np.arange(STEP_PX // 2, self._height, STEP_PX)
        self._columns = np.arange(STEP_PX // 2, self._width, STEP_PX)
        self._x, self._y = np.meshgrid(
            self._columns - self._centre[0], self._rows - self._centre[1]
        )
        fine = slice(BORDER_PX, -BORDER_PX or None, REFINE_PX)
        ys, xs = np.mgrid[0 : self._height, 0 : self._width].astype(np.float32)
        self._fine = fine
        self._fine_x = xs[fine, fine] - np.float32(self._centre[0])
        self._fine_y = ys[fine, fine] - np.float32(self._centre[1])

    def align(self, before: np.ndarray, after: np.ndarray) -> Alignment | None:
        """How the first picture becomes the second.

        Args:
            before: Grey, shape (height, width), uint8.
            after: The same.

        Returns:
            None if the first has too little texture to tell, or is too small.
        """
        if min(before.shape) < SMALLEST_PX:
            return None
        corners = self._cv2.cornerMinEigenVal(before, CORNER_PX)
        textured = corners[np.ix_(self._rows, self._columns)] > CORNER_AT_LEAST
        if textured.sum() < POINTS_AT_LEAST:
            return None
        flow = self._flow.calc(before, after, None)
        found = self._followed(flow, textured)
        if found[1].sum() < LOST_SHARE * textured.sum():
            again = self._followed(
                self._flow.calc(before, after, self._jump(before, after)), textured
            )
            found = max(found, again, key=lambda one: int(one[1].sum()))
        similarity, follows, apart = found
        inliers = float(follows.sum() / textured.sum())
        pair = self._pair(before, after)
        similarity, alike = self._refined(similarity, follows, pair)
        spread = _spread(follows)
        moved, stayed = (self._agreeing(one, pair) for one in (similarity, STILL))
        if stayed.share > moved.share + STAYS_SHARE:
            # Things move before a plain background: there are more corners on them, but more of
            # all edges stay.
            similarity, inliers, alike = STILL, stayed.share, stayed.alike
            spread = stayed.spread
            apart = np.hypot(*np.moveaxis(flow[np.ix_(self._rows, self._columns)], -1, 0))
            follows = textured & (apart < FOLLOWS_PX)
        inside = textured & self._inside(similarity)
        loose = inside & ~follows
        share = float(loose.sum() / inside.sum()) if inside.any() else 0.0
        apart_px = float(apart[loose].mean()) if loose.any() else 0.0
        return Alignment(similarity, inliers, alike, spread, share, apart_px)

    def _jump(self, before: np.ndarray, after: np.ndarray) -> np.ndarray:
        """Flow of the one shift that phase correlation finds, however far it is."""
        half = [
            self._cv2.resize(one, None, fx=0.5, fy=0.5).astype(np.float32)
            for one in (before, after)
        ]
        window = self._cv2.createHanningWindow(half[0].shape[::-1], self._cv2.CV_32F)
        (dx, dy), _ = self._cv2.phaseCorrelate(*half, window)
        flow = np.empty((self._height, self._width, 2), np.float32)
        flow[:] = np.nan_to_num((2 * dx, 2 * dy))
        return flow

    def _followed(
        self, flow: np.ndarray, textured: np.ndarray
    ) -> tuple[Similarity, np.ndarray, np.ndarray]:
        """The similarity that most points follow.

        Args:
            flow: Of all pixels.
            textured: Which points can be believed, shape (rows, columns).

        Returns:
            The similarity; which points follow it; how far each is from it, in pixels.
        """
        seen = flow[np.ix_(self._rows, self._columns)].astype(np.float64)
        similarity = fitted(self._x[textured], self._y[textured], *seen[textured].T)
        du, dv = similarity.of(self._x, self._y)
        apart = np.hypot(seen[..., 0] - du, seen[..., 1] - dv)
        return similarity, textured & (apart < FOLLOWS_PX), apart

    def _inside(self, similarity: Similarity) -> np.ndarray:
        """Which points are still in the picture afterwards."""
        dx, dy = similarity.of(self._x, self._y)
        stays: np.ndarray = (np.abs(self._x + dx) < self._centre[0] - BORDER_PX) & (
            np.abs(self._y + dy) < self._centre[1] - BORDER_PX
        )
        return stays

    def _pair(self, before: np.ndarray, after: np.ndarray) -> _Pair:
        """What refinement and the edges look at."""
        cv2, fine = self._cv2, self._fine
        first, second = (
            cv2.GaussianBlur(one, (0, 0), 1.0).astype(np.float32) for one in (before, after)
        )
        gx, gy = (
            cv2.Sobel(first, cv2.CV_32F, *way, ksize=1, scale=0.5)[fine, fine]
            for way in ((1, 0), (0, 1))
        )
        return _Pair(first[fine, fine], gx, gy, second)

    def _refined(
        self, start: Similarity, follows: np.ndarray, pair: _Pair
    ) -> tuple[Similarity, float]:
        """Gauss-Newton on brightness, where points follow; and how alike the pictures then are.

        A gain and an offset are solved for as well, so that a fade is no motion.
        """
        reference, gx, gy, second = pair
        x, y = self._fine_x, self._fine_y
        jacobian = np.stack(
            [gx, gy, gx * x + gy * y, gy * x - gx * y, reference, np.ones_like(x)], -1
        )
        held = self._cv2.resize(
            follows.astype(np.float32), (self._width, self._height),
            interpolation=self._cv2.INTER_NEAREST,
        )[self._fine, self._fine]  # fmt: skip
        similarity = start
        for _ in range(REFINE_ROUNDS):
            warped, inside = self._warped(second, similarity)
            weight = held * inside
            if not weight.any():
                return start, 0.0
            difference = warped - reference
            spread = TO_SIGMA * float(np.median(np.abs(difference[weight > 0]))) + NOISE_LEVELS
            weight = weight / (1 + (difference / (2 * spread)) ** 2)
            rows = jacobian[weight > 0].astype(np.float64)
            weighted = rows * weight[weight > 0][:, None]
            normal = rows.T @ weighted
            normal[np.diag_indices(6)] = normal.diagonal() * (1 + 1e-6) + 1e-3
            step = np.linalg.solve(normal, weighted.T @ difference[weight > 0])
            similarity = Similarity(*(np.array(similarity) - step[:4]))
            if np.abs(step[:2]).max() < REFINED_PX:
                break
        warped, inside = self._warped(second, similarity)
        return similarity, _correlation(reference, warped, (held > 0) & inside)

    def _agreeing(self, similarity: Similarity, pair: _Pair) -> _Agreement:
        """How many of all edges are where a similarity has them, in any brightness."""
        slope = np.hypot(pair.gx, pair.gy)
        warped, inside = self._warped(pair.second, similarity)
        edges = (slope > EDGE_LEVELS) & inside
        if edges.sum() < POINTS_AT_LEAST:
            return _Agreement(0.0, 0.0, 0.0)
        a, b = pair.first[edges], warped[edges]
        gain = float(b.std() / max(a.std(), NOISE_LEVELS))
        away = np.abs((b - b.mean()) / max(gain, 1e-3) - (a - a.mean())) / slope[edges]
        agree = away < EDGE_PX
        where = np.zeros_like(edges)
        where[edges] = agree
        alike = _correlation(pair.first, warped, where)
        return _Agreement(float(agree.mean()), alike, _spread(where))

    def _warped(self, second: np.ndarray, similarity: Similarity) -> tuple[np.ndarray, np.ndarray]:
        """The second picture brought back onto the first; and where there is any of it."""
        dx, dy = similarity.of(self._fine_x, self._fine_y)
        x = (self._fine_x + dx + self._centre[0]).astype(np.float32)
        y = (self._fine_y + dy + self._centre[1]).astype(np.float32)
        inside = (x >= 0) & (y >= 0) & (x <= self._width - 1) & (y <= self._height - 1)
        warped = self._cv2.remap(second, x, y, self._cv2.INTER_LINEAR)
        return warped, inside


def _spread(marked: np.ndarray) -> float:
    """In how many of the picture's parts anything is marked, as a share of all."""
    rows, columns = (np.arange(count) * PARTS // count for count in marked.shape)
    return len(np.unique((rows[:, None] * PARTS + columns)[marked])) / PARTS**2


def _correlation(one: np.ndarray, other: np.ndarray, where: np.ndarray) -> float:
    """Pearson's, of the marked pixels; 0 where there are few or they are all the same."""
    if where.sum() < POINTS_AT_LEAST:
        return 0.0
    a, b = one[where].astype(np.float64), other[where].astype(np.float64)
    a, b = a - a.mean(), b - b.mean()
    size = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / size if size > NOISE_LEVELS * len(a) else 0.0
