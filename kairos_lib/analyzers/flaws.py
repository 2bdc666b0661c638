"""What is wrong with one picture: blur, noise, blocks. Knows nothing of videos.

Pictures are grey: shape (height, width), uint8.
"""

from __future__ import annotations

import numpy as np

REBLUR_PX = 9
"""Width of the filter of Crete et al."""
BLOCK_PX = 8
"""Of JPEG, MPEG-2, MPEG-4 part 2 and their kin."""
LARGEST_PX = 1280
"""Of larger pictures the middle part of this width and height is enough, cut at the blocks."""
STEADY = 0.1
"""Grey levels added to both steps that are compared: a plain picture then has no blocks."""
# Second derivatives in both directions, of which a straight line or an even slope leaves nothing.
NOISE_MASK = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], dtype=np.float32)
FLAT_SHARE = 0.5
QUANTILE_STEP_PX = 4


def blur(grey: np.ndarray) -> float | None:
    """How blurred a picture is, from 0 (sharp) to 1.

    By re-blurring, after Crete, Dolmiere, Ladret and Nicolas, "The blur effect: perception and
    estimation with a new no-reference perceptual blur metric" (SPIE 6492, 2007): a sharp picture
    loses more of the steps between its neighbouring pixels than one that is blurred already. Noise
    counts as sharpness.

    Returns:
        None for a picture of one colour, or too small for the filter.
    """
    import cv2

    if min(grey.shape) <= REBLUR_PX:
        return None
    sharp = grey.astype(np.float32)
    found = []
    for axis, kernel in ((1, (REBLUR_PX, 1)), (0, (1, REBLUR_PX))):
        steps = np.abs(np.diff(sharp, axis=axis))
        left = np.abs(np.diff(cv2.blur(sharp, kernel), axis=axis))
        total = float(steps.sum(dtype=np.float64))
        if total:
            lost = float(np.maximum(0, steps - left).sum(dtype=np.float64))
            found.append(1 - lost / total)
    return max(found, default=None)


def noise(grey: np.ndarray) -> float | None:
    """Standard deviation of the noise in grey levels, taken to be Gaussian.

    After Immerkær, "Fast noise variance estimation" (Computer Vision and Image Understanding
    64(2), 1996), over the half of the pixels with the smallest gradients: texture would count as
    noise. The pixels must not have been scaled, which averages noise away.

    Returns:
        None for a picture that is too small.
    """
    import cv2

    if min(grey.shape) < 2 * BLOCK_PX:
        return None
    levels = _middle(grey).astype(np.float32)
    rest = np.abs(cv2.filter2D(levels, -1, NOISE_MASK))[1:-1, 1:-1]
    gradient = np.abs(cv2.Sobel(levels, -1, 1, 0)) + np.abs(cv2.Sobel(levels, -1, 0, 1))
    gradient = gradient[1:-1, 1:-1]
    flat = gradient <= np.quantile(gradient[::QUANTILE_STEP_PX, ::QUANTILE_STEP_PX], FLAT_SHARE)
    # The mask's own gain is 6, and a Gaussian's mean distance sqrt(2 / pi) of its deviation.
    return float(np.sqrt(np.pi / 2) * rest[flat].mean(dtype=np.float64) / 6)


def blockiness(grey: np.ndarray) -> float | None:
    """Mean step across the edges of 8-pixel blocks, divided by that elsewhere; 1 without blocks.

    The pixels must be the stored ones: once scaled, the edges are not where they were.

    Returns:
        None for a picture that is too small.
    """
    if min(grey.shape) < 2 * BLOCK_PX:
        return None
    levels = _middle(grey).astype(np.int16)
    edges, others = [], []
    for axis in (0, 1):
        steps = np.abs(np.diff(levels, axis=axis)).mean(axis=1 - axis)
        on_edge = np.arange(1, len(steps) + 1) % BLOCK_PX == 0
        edges.append(steps[on_edge].mean())
        others.append(steps[~on_edge].mean())
    return float((np.mean(edges) + STEADY) / (np.mean(others) + STEADY))


def _middle(grey: np.ndarray) -> np.ndarray:
    """The middle part, beginning at a block's edge."""
    parts = []
    for length in grey.shape:
        start = max(0, length - LARGEST_PX) // 2 // BLOCK_PX * BLOCK_PX
        parts.append(slice(start, start + LARGEST_PX))
    return grey[tuple(parts)]
