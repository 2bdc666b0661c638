"""Precision, recall and F1 at a tolerance."""

import math
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kairos_lib.errors import KairosError
from kairos_lib.events.records import Event
from kairos_lib.events.scoring import Scores, score, score_videos

LABELS = ("Goal", "Corner", "Foul")
SEEDED = settings(derandomize=True, deadline=None, max_examples=100)


def event(label: str, time_s: float, confidence: float = 1.0) -> Event:
    return Event(label=label, time_s=time_s, confidence=confidence)


def goals(*times_s: float) -> list[Event]:
    return [event("Goal", time_s) for time_s in times_s]


def test_what_is_near_enough_on_either_side_is_right() -> None:
    goal = score(goals(100, 200, 300), goals(95, 205, 305.001), LABELS, 5).of("Goal")
    assert (goal.true_positives, goal.predicted, goal.true) == (2, 3, 3)
    assert (goal.precision, goal.recall, goal.f1) == (2 / 3, 2 / 3, 2 / 3)
    assert (goal.missed, goal.spurious) == (1, 1)


def test_times_are_compared_to_the_millisecond() -> None:
    # As floats they are a little more than 0.2 s apart.
    assert 10.3 - 10.1 > 0.2
    assert score(goals(10.1), goals(10.3), LABELS, 0.2).of("Goal").f1 == 1


def test_an_event_is_found_once_however_often_it_is_predicted() -> None:
    goal = score(goals(100), goals(99, 100, 101), LABELS, 5).of("Goal")
    assert (goal.true_positives, goal.spurious, goal.recall, goal.precision) == (1, 2, 1, 1 / 3)


@pytest.mark.parametrize(
    ("predicted", "right"),
    [
        # The surer takes 105, which is nearer to it, and leaves 100 to the other.
        ([event("Goal", 104, 0.9), event("Goal", 97, 0.5)], 2),
        # The surer takes 100, the only one that the other could have had.
        ([event("Goal", 102, 0.9), event("Goal", 98, 0.5)], 1),
        # Of equally sure ones the earlier chooses first, wherever it stands.
        ([event("Goal", 102), event("Goal", 98)], 2),
    ],
)
def test_the_most_confident_chooses_first_and_takes_the_nearest(
    predicted: list[Event], right: int
) -> None:
    assert score(goals(100, 105), predicted, LABELS, 5).of("Goal").true_positives == right


def test_what_is_undefined_is_none_and_what_was_all_missed_is_0() -> None:
    found = score(goals(10), [event("Corner", 500)], LABELS, 5)
    goal, corner, foul = found.labels
    assert (goal.precision, goal.recall, goal.f1) == (None, 0, 0)
    assert (corner.precision, corner.recall, corner.f1) == (0, None, 0)
    assert (foul.precision, foul.recall, foul.f1) == (None, None, None)
    assert found.macro_f1 == 0


def test_macro_is_over_labels_that_happened_and_micro_over_all_events() -> None:
    truth = [*goals(10, 20, 30), event("Corner", 50)]
    found = score(truth, [*goals(10, 20, 30), event("Foul", 90)], LABELS, 1)
    assert found.macro_f1 == 0.5
    assert (found.micro.true, found.micro.predicted, found.micro.true_positives) == (4, 4, 3)
    assert found.micro.f1 == 0.75


def test_it_is_told_which_label_was_taken_for_which() -> None:
    truth = [event("Goal", 10), event("Corner", 20), event("Corner", 30), event("Foul", 40)]
    predicted = [event("Goal", 20), event("Goal", 30), event("Foul", 11), event("Foul", 41)]
    found = score(truth, [*predicted, event("Foul", 90)], LABELS, 2)
    told = [(each.true, each.predicted, each.count) for each in found.confused]
    assert told == [("Corner", "Goal", 2), ("Goal", "Foul", 1)]
    assert [each.missed for each in found.labels] == [0, 0, 0]
    assert [each.spurious for each in found.labels] == [0, 0, 1]


def test_an_event_that_was_found_is_confused_with_nothing() -> None:
    found = score(goals(10), [event("Goal", 10, 0.1), event("Corner", 10, 0.9)], LABELS, 2)
    assert (found.of("Goal").f1, found.of("Corner").spurious, found.confused) == (1, 1, ())


def test_the_curve_is_what_would_be_if_less_confident_ones_were_left_out() -> None:
    predicted = [
        event("Goal", 10, 0.9), event("Goal", 50, 0.5), event("Goal", 20, 0.5), event("Goal", 80, 0)
    ]  # fmt: skip
    curve = score(goals(10, 20), predicted, LABELS, 2).of("Goal").curve
    assert [(point.confidence, point.precision, point.recall) for point in curve] == [
        (0.9, 1, 0.5),
        (0.5, 2 / 3, 1),
        (0, 0.5, 1),
    ]


def test_several_videos_are_counted_together_and_never_mixed() -> None:
    found = score_videos([goals(10), goals(20)], [goals(20), goals(20)], LABELS, 2)
    goal = found.of("Goal")
    assert (goal.true_positives, goal.missed, goal.spurious) == (1, 1, 1)


@pytest.mark.parametrize("tolerance_s", [0, 5, 1e300])
def test_nothing_at_all_is_scored_as_nothing(tolerance_s: float) -> None:
    for found in (score([], [], LABELS, tolerance_s), score_videos([], [], LABELS, tolerance_s)):
        assert (found.macro_f1, found.micro.f1, found.confused) == (None, None, ())
    assert score(goals(1), [], LABELS, tolerance_s).macro_f1 == 0
    assert score([], goals(1), LABELS, tolerance_s).macro_f1 is None


def test_labels_that_do_not_count_are_left_out() -> None:
    found = score([*goals(1), event("Offside", 2)], [event("Offside", 2)], LABELS, 5)
    assert (found.micro.true, found.micro.predicted, found.confused) == (1, 0, ())


def test_what_was_scored_is_written_with_its_shares_and_read_again() -> None:
    found = score(goals(10, 20), goals(10, 50), LABELS, 2)
    assert b'"precision":0.5' in found.written()
    assert Scores.read(found.written()) == found


events = st.lists(
    st.builds(
        event,
        st.sampled_from(LABELS),
        st.integers(0, 30).map(float) | st.floats(0, 30) | st.just(1.7e308),
        st.sampled_from([0.0, 0.5, 1.0]),
    ),
    max_size=12,
)


def one_after_another(
    truth: list[Event], predicted: list[Event], tolerance_s: float
) -> Counter[tuple[str, float]]:
    """How many of each label and confidence are right, found the slow way."""
    left, right = sorted(truth, key=lambda event: event.time_s), Counter[tuple[str, float]]()
    for guess in sorted(predicted, key=lambda event: (-event.confidence, event.time_s)):
        apart_ms = [
            abs(round(min(e.time_s, 1e9) * 1000) - round(min(guess.time_s, 1e9) * 1000))
            for e in left
        ]
        fits = [
            (apart, number)
            for number, (apart, e) in enumerate(zip(apart_ms, left, strict=True))
            if e.label == guess.label and apart <= tolerance_s * 1000
        ]
        if fits:
            del left[min(fits)[1]]
            right[guess.label, guess.confidence] += 1
    return right


@SEEDED
@given(events, events, st.sampled_from([0, 1, 5]))
def test_every_prediction_and_every_event_has_one_fate(
    truth: list[Event], predicted: list[Event], tolerance_s: float
) -> None:
    found = score(truth, predicted, LABELS, tolerance_s)
    right = one_after_another(truth, predicted, tolerance_s)
    assert found.micro.true_positives == right.total()
    for each in found.labels:
        for point in each.curve:
            sure = [right[each.label, value] for value in (0, 0.5, 1) if value >= point.confidence]
            assert round(point.recall * each.true) == sum(sure)
        lost = sum(c.count for c in found.confused if c.true == each.label)
        taken = sum(c.count for c in found.confused if c.predicted == each.label)
        assert each.true == each.true_positives + lost + each.missed
        assert each.predicted == each.true_positives + taken + each.spurious
        assert bool(each.curve) == bool(each.true and each.predicted)
        if each.curve:
            last = each.curve[-1]
            assert (last.precision, last.recall) == (each.precision, each.recall)


def test_what_cannot_be_scored_is_told() -> None:
    for tolerance_s in (-1, math.nan, math.inf):
        with pytest.raises(KairosError, match="there is no tolerance"):
            score([], [], LABELS, tolerance_s)
    with pytest.raises(KairosError, match="no labels"):
        score([], [], (), 5)
    with pytest.raises(KairosError, match="2 videos and the predictions have 1"):
        score_videos([[], []], [[]], LABELS, 5)
