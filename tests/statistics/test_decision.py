"""A difference is called one only where the rounds agree on it."""

import math

import pytest

from kairos_lib.statistics.decision import ratio_of


def test_the_ratio_is_the_geometric_mean_with_students_interval() -> None:
    found = ratio_of([1.1, 1.2, 1.15, 1.05, 1.12])
    # By hand: mean and standard deviation of the logarithms are 0.1159 and 0.0498; t of 99 %
    # and four degrees of freedom is 4.604.
    assert math.log(found.value) == pytest.approx(0.1159, abs=1e-4)
    assert math.log(found.interval.high / found.value) == pytest.approx(
        4.604 * 0.0498 / math.sqrt(5), abs=1e-4
    )


def test_twice_as_long_and_half_as_long_are_equally_far_from_the_same() -> None:
    rounds = [1.9, 2.0, 2.1, 2.05]
    slower, faster = ratio_of(rounds), ratio_of([1 / each for each in rounds])
    assert (slower.direction, faster.direction) == ("higher", "lower")
    assert faster.interval.low == pytest.approx(1 / slower.interval.high)


def test_one_round_that_was_disturbed_decides_nothing() -> None:
    assert ratio_of([1.0, 1.01, 0.99, 1.0, 1.6]).direction == "no difference shown"


def test_rounds_that_are_exactly_alike_show_what_they_show() -> None:
    assert ratio_of([1.0] * 5).direction == "no difference shown"
    assert ratio_of([1.2] * 5).direction == "higher"


def test_two_rounds_are_too_few_however_alike() -> None:
    found = ratio_of([2.0, 2.0])
    assert found.value == pytest.approx(2.0)
    assert found.direction == "too few rounds"
    assert not found.interval.known
    assert not found.regressed()


def test_a_regression_is_shown_and_large_enough() -> None:
    assert ratio_of([1.08, 1.09, 1.10, 1.11, 1.12]).regressed(0.05)
    assert not ratio_of([1.02, 1.021, 1.019, 1.02, 1.02]).regressed(0.05)
    assert not ratio_of([0.7, 1.9, 1.0, 1.5, 0.9]).regressed(0.05)


@pytest.mark.parametrize("rounds", [[], [1.0, 0.0, 1.0]])
def test_no_rounds_or_no_time_at_all_give_no_ratio(rounds: list[float]) -> None:
    with pytest.raises(ValueError, match="no ratio can be computed"):
        ratio_of(rounds)
