"""The similarity that most of a flow's points follow.

Knows nothing of pictures. A guess that most points follow, then re-weighted least squares.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

STEP_PX = 8
"""Distance of the points at which flow is looked at: the size of its patches."""
FOLLOWS_PX = 1.0
"""A point follows the similarity if its flow is no further away than this."""
GUESSES = 60
"""If half of the points follow, the chance that no guess has two of them is below 1e-7."""
FIT_ROUNDS = 3
TOLERANCE_PX = 0.75
"""Tukey's biweight is never narrower than this, the noise of flow."""
TO_SIGMA = 1.4826
"""From the median absolute deviation to the standard deviation of a normal distribution."""


class Similarity(NamedTuple):
    """A point (x, y) from the picture's centre goes to (x + dx + zoom x - turn y, ...)."""

    dx_px: float
    dy_px: float
    zoom: float
    """Cosine part: 0 for none."""
    turn: float
    """Sine part: positive is clockwise, as y points down."""

    def of(self, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """By how much points move, in pixels."""
        return (
            self.dx_px + self.zoom * x - self.turn * y,
            self.dy_px + self.zoom * y + self.turn * x,
        )

    @property
    def log_scale(self) -> float:
        """Natural logarithm of the factor by which the picture grows."""
        return float(np.log(np.hypot(1 + self.zoom, self.turn)))

    @property
    def angle_deg(self) -> float:
        """By how much the picture turns clockwise."""
        return float(np.degrees(np.arctan2(self.turn, 1 + self.zoom)))


STILL = Similarity(0.0, 0.0, 0.0, 0.0)


def fitted(x: np.ndarray, y: np.ndarray, u: np.ndarray, v: np.ndarray) -> Similarity:
    """The similarity that most points follow.

    Args:
        x: Where they are from the picture's centre, rightwards in pixels, shape (points,).
        y: Downwards.
        u: How far they go rightwards.
        v: Downwards.
    """
    one, none = np.ones_like(x), np.zeros_like(x)
    system = np.concatenate([np.stack([one, none, x, -y], 1), np.stack([none, one, y, x], 1)])
    target = np.concatenate([u, v])
    similarity = _guessed(x + 1j * y, u + 1j * v)
    for _ in range(FIT_ROUNDS):
        du, dv = similarity.of(x, y)
        far = np.hypot(u - du, v - dv)
        width = max(TOLERANCE_PX, 1.5 * TO_SIGMA * float(np.median(far)))
        weight = np.tile(np.maximum(0, 1 - (far / width) ** 2) ** 2, 2)
        normal = system.T @ (system * weight[:, None]) + 1e-6 * np.eye(4)
        similarity = Similarity(*np.linalg.solve(normal, system.T @ (target * weight)))
    return similarity


def _guessed(points: np.ndarray, moves: np.ndarray) -> Similarity:
    """The similarity by two points that most others follow (RANSAC: Fischler and Bolles, 1981).

    The same for the same flow, whatever was looked at before.

    Args:
        points: Places from the picture's centre as complex numbers, shape (points,).
        moves: Their flow, likewise.
    """
    random = np.random.default_rng(0)
    one, other = random.integers(0, len(points), (2, GUESSES))
    apart = np.abs(points[one] - points[other]) > 2 * STEP_PX
    one, other = one[apart], other[apart]
    # A similarity is a complex factor and an offset.
    factor = (moves[one] - moves[other]) / (points[one] - points[other])
    offset = moves[one] - factor * points[one]
    factor, offset = np.append(factor, 0), np.append(offset, 0)
    away = np.abs(moves - factor[:, None] * points - offset[:, None])
    best = int((away < FOLLOWS_PX).sum(1).argmax())
    return Similarity(
        float(offset[best].real), float(offset[best].imag),
        float(factor[best].real), float(factor[best].imag),
    )  # fmt: skip
