"""Intervals hold what they say they hold, and say where they cannot know."""

import numpy as np
import pytest

from kairos_lib.statistics.bootstrap import Interval, interval
from kairos_lib.statistics.student import quantile


@pytest.mark.parametrize(
    ("level", "degrees", "t"),
    # Abramowitz and Stegun, table 26.10.
    [(0.95, 1, 12.706), (0.95, 2, 4.303), (0.95, 4, 2.776), (0.99, 9, 3.250), (0.95, 30, 2.042)],
)
def test_students_t_is_that_of_the_tables(level: float, degrees: int, t: float) -> None:
    assert quantile(level, degrees) == pytest.approx(t, abs=6e-4)


def test_the_same_seed_gives_the_same_interval() -> None:
    values = np.random.default_rng(1).normal(size=30)
    assert interval(values) == interval(values)
    assert interval(values) != interval(values, seed=1)


def share_held(sizes: list[int], between: float, clustered: bool) -> float:
    """How often the true mean, 0, lies in the interval of clusters that differ among themselves."""
    rng = np.random.default_rng(7)
    names = [number for number, size in enumerate(sizes) for _ in range(size)]
    held = 0
    for _ in range(200):
        values = np.concatenate([rng.normal(between * rng.normal(), 1, size) for size in sizes])
        found = interval(values, names if clustered else None, resamples=200)
        held += found.holds(0)
    return held / 200


def test_an_interval_of_few_values_holds_the_truth_about_as_often_as_it_says() -> None:
    assert 0.9 <= share_held([6], between=0, clustered=False) <= 1
    assert 0.9 <= share_held([40], between=0, clustered=False) <= 0.985


def test_scenes_of_a_video_are_not_counted_as_if_they_were_videos() -> None:
    assert share_held([10] * 6, between=1, clustered=False) < 0.8
    assert share_held([10] * 6, between=1, clustered=True) >= 0.9


def test_one_cluster_is_as_good_as_none_given() -> None:
    values = [1.0, 2.0, 4.0, 3.0, 2.5]
    assert interval(values, ["match"] * 5) == interval(values)


def test_the_statistic_can_need_several_numbers_of_each_value() -> None:
    rows = [(2.0, 1.0), (4.0, 2.0), (6.0, 3.0)]
    found = interval(rows, statistic=lambda drawn: float(drawn[:, 0].sum() / drawn[:, 1].sum()))
    assert found == Interval(2.0, 2.0)


def test_of_a_single_value_nothing_is_known() -> None:
    found = interval([3.0])
    assert not found.known
    assert found.holds(1e9)
    assert not interval([3.0], ["match"]).known


def test_two_values_give_no_more_than_the_range_between_them() -> None:
    assert interval([1.0, 3.0]) == Interval(1.0, 3.0)


def test_no_values_or_clusters_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="no values"):
        interval([])
    with pytest.raises(ValueError, match="3 values but clusters of 2"):
        interval([1, 2, 3], ["a", "b"])
