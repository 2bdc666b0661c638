"""Scenes to be captioned, with frames of noise."""

from __future__ import annotations

import numpy as np

from kairos_lib.vlm.adapter import Request

SIZES = ((84, 56), (56, 84))
"""Widths and heights."""
PROMPTS = ("Describe.", "Speech: hello\nDescribe the scene in detail.")


def two_scenes(seed: int = 0) -> list[Request]:
    """One landscape and one portrait, with prompts of unequal length."""
    random = np.random.default_rng(seed)
    frames = [random.integers(0, 255, (2, h, w, 3), dtype=np.uint8) for w, h in SIZES]
    return [Request(n, tuple(frames[n]), (0.0, 0.5), PROMPTS[n]) for n in range(2)]
