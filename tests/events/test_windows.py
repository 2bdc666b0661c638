"""Windows lie on one grid, and their batches do not depend on how the work is shared out."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kairos_lib.events.windows import batches, grid, share
from kairos_lib.parameters.spotting import Share, Windows

DOCUMENTED = Windows(frames_per_second=1, frames=4, step_s=2)


def test_windows_of_four_seconds_every_two_and_a_partial_one_at_the_end() -> None:
    windows = grid(750.0, DOCUMENTED)
    assert [(w.start_s, w.end_s) for w in windows[:3]] == [(0, 4), (2, 6), (4, 8)]
    assert len(windows) == 375
    assert (windows[-1].start_s, windows[-1].end_s) == (748, 750)
    assert windows[0].times_s == (0, 1, 2, 3)
    assert windows[-1].times_s == (748, 749)


def test_a_part_of_a_video_has_the_windows_that_begin_in_it_and_no_others() -> None:
    whole = grid(60.0, DOCUMENTED)
    part = grid(60.0, DOCUMENTED, Share(from_s=11.0, to_s=20.0))
    assert [w.start_s for w in part] == [12, 14, 16, 18]
    assert part == [w for w in whole if 11 <= w.start_s < 20]
    assert part[-1].end_s == 22


@settings(derandomize=True, deadline=None)
@given(
    duration_s=st.floats(0.05, 400),
    frames=st.integers(1, 8),
    rate=st.sampled_from([0.3, 1.0, 3.0, 29.97]),
    step_s=st.floats(0.1, 10),
    size=st.integers(1, 20),
    slices=st.integers(1, 9),
)
def test_slices_share_the_batches_of_the_whole_in_order(
    duration_s: float, frames: int, rate: float, step_s: float, size: int, slices: int
) -> None:
    windows = grid(duration_s, Windows(frames_per_second=rate, frames=frames, step_s=step_s))
    assert [w.number for w in windows] == list(range(len(windows)))
    assert all(w.times_s and w.start_s <= w.times_s[0] and w.times_s[-1] < duration_s
               for w in windows)  # fmt: skip
    assert all(len(w.times_s) <= frames for w in windows)
    whole = batches(windows, size)
    parts = [share(whole, Share(slice=n, slices=slices)) for n in range(1, slices + 1)]
    assert [batch for part in parts for batch in part] == whole
    lengths = [len(part) for part in parts]
    assert max(lengths) - min(lengths) <= 1
    assert share(whole, Share(slices=slices)) == whole


@pytest.mark.parametrize(
    "said", [{"slice": 3, "slices": 2}, {"from_s": -1}, {"from_s": 5, "to_s": 5}, {"slices": 0}]
)
def test_a_share_that_cannot_be_is_refused(said: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"slice|from_s|to_s"):
        Share.model_validate(said)
