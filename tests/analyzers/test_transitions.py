"""Where the limits of dissolves, fades and shake lie, on numbers instead of films."""

from __future__ import annotations

import numpy as np
import pytest

from kairos_lib.analyzers.camera.stretches import Track
from kairos_lib.analyzers.cuts.transitions import Looks, places, transitions

TIMES_S = np.arange(40) / 10
ONE, OTHER = np.random.default_rng(1).integers(20, 235, (2, 64))


def looks(grid: np.ndarray, moving: bool = False) -> Looks:
    """Frames a tenth of a second apart."""
    return Looks(TIMES_S[: len(grid)], grid.astype(np.uint8), np.full(len(grid), moving))


@pytest.mark.parametrize(
    ("late", "moving", "found"),
    [(0.0, False, 1), (0.0, True, 1), (0.11, False, 1), (0.11, True, 0)],
)
def test_a_dissolve_is_steady_and_more_so_in_a_picture_that_moves(
    late: float, moving: bool, found: int
) -> None:
    """Share of the way by which it is late half way through."""
    steady = np.clip((TIMES_S - 1.5) / 1.0, 0, 1)
    share = (steady - late * np.sin(np.pi * steady))[:, None]
    kinds = [one.kind for one in transitions(looks(ONE + share * (OTHER - ONE), moving), [])]
    assert kinds == ["dissolve"] * found


def test_a_fade_before_a_cut_begins_no_earlier_than_its_shot() -> None:
    """The shot before it gets darker too."""
    light = np.linspace(1, 0.15, 16)[:, None]
    grid = np.concatenate([light[:8] * ONE, light[8:] * ONE[::-1], np.tile(ONE, (8, 1))])
    found = transitions(looks(grid), [0.8, 1.6])
    assert [one.name for one in found] == ["cut", "fade to black"]
    assert found[1].start_s >= 0.8
    assert places(found, [0.8, 1.6]) == [0.8, 1.6]


@pytest.mark.parametrize("frames", [1, 2])
def test_a_flash_is_told_from_a_cut(frames: int) -> None:
    before, flash = np.tile(ONE, (10, 1)), np.full((frames, 64), 250)
    back = looks(np.concatenate([before, flash, before]))
    assert [one.kind for one in transitions(back, [1.0])] == ["flash"]
    away = looks(np.concatenate([before, flash, np.tile(OTHER, (10, 1))]))
    assert [one.kind for one in transitions(away, [1.0])] == ["cut"]


def test_one_jolt_is_shake() -> None:
    """The root mean square over time, not what is usual: 0.05 of the width once in 41 places."""
    speed = np.zeros((40, 4))
    speed[20:22, 0] = 0.5, -0.5
    found = Track(TIMES_S, TIMES_S + 0.1, speed).shake()
    assert found == pytest.approx(0.05 / np.sqrt(41), rel=0.15)
