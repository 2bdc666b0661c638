"""Taking turns, all at once: the same end as one after another."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from kairos_lib.events.matching import NOBODY, in_turn, milliseconds, near

SEEDED = settings(derandomize=True, deadline=None, max_examples=100)


@SEEDED
@given(st.lists(st.lists(st.integers(0, 5), unique=True, max_size=6), max_size=8))
def test_each_takes_the_first_of_its_choices_that_nobody_before_it_took(
    wishes: list[list[int]],
) -> None:
    holders = [NOBODY] * 6
    for turn, wanted in enumerate(wishes):
        if (
            free := next((thing for thing in wanted if holders[thing] == NOBODY), None)
        ) is not None:
            holders[free] = turn
    choosers = np.array([turn for turn, wanted in enumerate(wishes) for _ in wanted], np.int64)
    choices = np.array([thing for wanted in wishes for thing in wanted], np.int64)
    assert in_turn(choosers, choices, len(wishes), 6).tolist() == holders


@SEEDED
@given(
    st.lists(st.integers(-9, 9), max_size=8),
    st.lists(st.integers(-9, 9), max_size=8).map(sorted),
    st.integers(0, 20),
)
def test_pairs_are_those_that_are_near_in_order(
    points: list[int], others: list[int], reach: int
) -> None:
    found = near(np.array(points, float), np.array(others, float), reach)
    wanted = [
        (n, m) for n, a in enumerate(points) for m, b in enumerate(others) if abs(a - b) <= reach
    ]
    assert list(zip(*(numbers.tolist() for numbers in found), strict=True)) == wanted


def test_times_are_whole_milliseconds_and_never_without_end() -> None:
    assert milliseconds([0.1 + 0.2, 66.99999999999999]).tolist() == [300, 67000]
    assert np.isfinite(milliseconds([1.7e308])).all()
