"""Ratios between two models, round by round, for the verdict and `kairos compare`."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from typing import Literal

from kairos_lib.statistics.decision import Ratio, ratio_of
from kairos_lib.vlm.records import VlmResult

Both = tuple[float, float]
"""A's and B's value in one round, on one video."""
Kind = Literal["VRAM", "RAM"]
ALIKE = 0.05
"""Memory peaks closer than this are no difference worth naming: allocators and loading vary
as much."""


def over_videos(each: Sequence[Mapping[int, Both]]) -> Ratio | None:
    """How many times as much B takes as A.

    Args:
        each: For each video both values by round; a video without any is skipped.

    Returns:
        The geometric mean of the videos' ratios, equally weighted, from the rounds that all of
        them have; None if there is no such round.
    """
    known = [figures for figures in each if figures]
    common = set.intersection(*(set(figures) for figures in known)) if known else set()
    rounds = [
        math.exp(statistics.fmean(math.log(figures[n][1] / figures[n][0]) for figures in known))
        for n in sorted(common)
    ]
    return ratio_of(rounds) if rounds else None


def peak(result: VlmResult) -> tuple[Kind, float] | None:
    """Peak memory of a run in MiB: of the GPU if it ran on one, else of the kernel.

    None if it was not measured; unknown for a model on a server.
    """
    used = result.resources
    if result.weights_source == "server":
        return None
    if used.peak_vram_mib:
        return "VRAM", used.peak_vram_mib
    return ("RAM", used.peak_ram_mib) if used.peak_ram_mib else None


def peaks(a: VlmResult, b: VlmResult) -> Both | None:
    """Both runs' peaks; None if only one of them is GPU memory."""
    one, other = peak(a), peak(b)
    if one is None or other is None or one[0] != other[0]:
        return None
    return one[1], other[1]
