"""How much one small picture differs from another. Knows nothing of videos.

Pictures are BGR: shape (height, width, 3), uint8. Scaled down from frames by the mean of the pixels
that fall together, they have little of a codec's noise left.
"""

from __future__ import annotations

import numpy as np

CHANGED_LEVELS = 24
"""Grey levels of 256 that a pixel must change by in any channel."""
CHANGED_PIXELS = 4
"""So many make a change: at 336 px a letter of 24 px at 720p covers about six."""


def changed_share(one: np.ndarray, other: np.ndarray | None) -> float:
    """Share of the pixels that differ; all if there is no other, or its size is another."""
    import cv2

    if other is None or one.shape != other.shape:
        return 1.0
    different = cv2.absdiff(one, other).max(axis=2) > CHANGED_LEVELS
    return float(different.mean(dtype=np.float64))


def has_changed(one: np.ndarray, other: np.ndarray | None) -> bool:
    """Whether anything of the size of a letter differs."""
    pixels: int = one.shape[0] * one.shape[1]
    return round(changed_share(one, other) * pixels) >= min(CHANGED_PIXELS, pixels)


def mean_change(one: np.ndarray, other: np.ndarray | None) -> float:
    """Mean difference as a share of the range; 1 if there is no other, or its size is another."""
    import cv2

    if other is None or one.shape != other.shape:
        return 1.0
    return float(cv2.norm(one, other, cv2.NORM_L1) / one.size / 255)
