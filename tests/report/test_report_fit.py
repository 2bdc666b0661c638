"""What tokens explain of the time of a scene."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from kairos_lib.results.token_times import SceneTime, fit
from kairos_lib.statistics import regression

BASE_S, PER_NEW_S, PER_PROMPT_S = 0.5, 0.02, 0.0002


def times(
    video: str,
    new: float,
    seed: int = 0,
    factor: float = 1.0,
    noise_s: float = 0.02,
    scenes: int = 16,
    visual: int = 800,
) -> list[SceneTime]:
    """Scenes whose time is made of their tokens, with noise."""
    random = np.random.default_rng(seed + sum(map(ord, video)))
    found = []
    for scene in range(scenes):
        tokens, prompt = round(random.normal(new, new / 8)), round(random.normal(900, 40))
        seconds = BASE_S + PER_NEW_S * tokens + PER_PROMPT_S * prompt + random.normal(0, noise_s)
        found.append(SceneTime(video, scene, factor * seconds, tokens, prompt, visual))
    return found


def test_a_difference_that_tokens_make_is_explained() -> None:
    found = fit(times("short", 40) + times("long", 220))
    assert found is not None
    assert found.explained_videos is not None
    assert found.explained_videos > 0.99
    assert found.pinned
    assert found.odd_videos == ()
    slope = found.slopes["new"]
    assert slope.low is not None
    assert slope.high is not None
    assert slope.seconds == pytest.approx(PER_NEW_S, rel=0.02)
    assert slope.low < slope.seconds < slope.high < 1.05 * slope.low


def test_intervals_hold_the_truth_about_as_often_as_they_say() -> None:
    held = 0
    for seed in range(200):
        found = fit(times("short", 40, seed, noise_s=0.1) + times("long", 90, seed, noise_s=0.1))
        assert found is not None
        slope = found.slopes["new"]
        assert slope.low is not None
        assert slope.high is not None
        held += slope.low < PER_NEW_S < slope.high
    assert 180 <= held <= 199


@pytest.mark.parametrize("factor", [5.0, 0.08])
def test_one_of_several_videos_that_takes_another_time_is_found(factor: float) -> None:
    others = [*times("a", 60), *times("b", 80), *times("c", 120)]
    found = fit([*others, *times("odd", 80, factor=factor)])
    assert found is not None
    assert [odd.video for odd in found.odd_videos] == ["odd"]
    assert found.odd_videos[0].ratio == pytest.approx(factor, rel=0.1)
    # It has no part in the fit, which tells the others as if it were not there.
    assert found.slopes["new"].seconds == pytest.approx(PER_NEW_S, rel=0.1)
    assert found.explained_videos is not None
    assert found.explained_videos < 0.5


def test_of_two_videos_with_the_same_tokens_the_slow_one_is_not_explained() -> None:
    found = fit(times("a", 80) + times("slow", 80, factor=5))
    assert found is not None
    assert [odd.video for odd in found.odd_videos] == ["slow"]
    assert found.explained_videos == 0


def test_noise_alone_makes_no_video_odd() -> None:
    for seed in range(40):
        found = fit(
            times("a", 40, seed, noise_s=0.2)
            + times("b", 80, seed, noise_s=0.2)
            + times("c", 160, seed, noise_s=0.2)
        )
        assert found is not None
        assert found.odd_videos == ()


def test_a_scene_that_is_far_off_is_found_and_does_not_bend_the_line() -> None:
    made = times("a", 80) + times("b", 90)
    made[3] = replace(made[3], seconds=5 * made[3].seconds)
    found = fit(made)
    assert found is not None
    assert [(odd.time.video, odd.time.scene) for odd in found.odd_scenes] == [("a", 3)]
    assert found.odd_scenes[0].expected_s == pytest.approx(made[3].seconds / 5, rel=0.1)
    assert found.odd_videos == ()
    assert found.slopes["new"].seconds == pytest.approx(PER_NEW_S, rel=0.2)


def test_tokens_that_are_always_the_same_or_follow_from_others_are_dropped() -> None:
    made = [replace(time, prompt=2 * time.new + 7) for time in times("a", 80)]
    found = fit(made)
    assert found is not None
    assert list(found.slopes) == ["new"]
    assert found.dropped == {"prompt": "collinear", "visual": "constant"}


def test_scenes_whose_tokens_are_all_the_same_are_not_explained() -> None:
    made = [replace(time, new=256, prompt=900) for time in times("a", 80)]
    found = fit(made)
    assert found is not None
    assert found.slopes == {}
    assert found.explained_scenes == 0


def test_what_differs_between_videos_alone_cannot_be_told_from_the_videos() -> None:
    made = [
        replace(time, visual=visual, seconds=time.seconds + visual / 1000)
        for video, visual in (("a", 800), ("b", 2880))
        for time in times(video, 80)
    ]
    found = fit(made)
    assert found is not None
    assert found.odd_videos == ()
    assert not found.pinned


def test_videos_that_take_the_same_time_have_no_difference_to_explain() -> None:
    found = fit(times("a", 80) + times("b", 80))
    assert found is not None
    assert found.explained_videos is None


def test_a_handful_of_scenes_is_not_fitted() -> None:
    assert fit(times("a", 80, scenes=7)) is None
    assert fit(times("a", 80, scenes=8)) is not None


@pytest.mark.parametrize(("freedom", "expected"), [(3, 3.182), (6, 2.447), (30, 2.042)])
def test_student_quantiles_are_those_of_the_tables(freedom: int, expected: float) -> None:
    assert regression.t_quantile(0.975, freedom) == pytest.approx(expected, rel=0.01)


def test_a_slope_that_one_row_decides_on_has_no_interval() -> None:
    x = np.array([[0.0]] * 9 + [[1.0]])
    _, slopes, half = regression.least_squares(x, np.arange(10.0))
    assert slopes.tolist() == pytest.approx([5.0])
    assert half is None
