"""Two or more models together: which events are one, when it was, and how sure that is."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kairos_lib.events.ensemble import Agreement, accepted, vote
from kairos_lib.events.records import SpottedEvent


def event(time_s: float, confidence: float = 0.5, label: str = "Goal") -> SpottedEvent:
    return SpottedEvent(label=label, time_s=time_s, confidence=confidence, votes=1, windows=2)


def shown(agreed: list[Agreement]) -> list[tuple[float, float, tuple[str, ...]]]:
    return [(one.event.time_s, one.event.confidence, one.found_by) for one in agreed]


def test_what_both_found_is_one_event_at_the_mean_of_their_times_by_confidence() -> None:
    agreed = vote({"a": [event(10, 0.9)], "b": [event(13, 0.3)]}, radius_s=3)
    assert shown(agreed) == [(10.75, 0.6, ("a", "b"))]
    assert agreed[0].event.votes == 2
    assert agreed[0].own["b"].time_s == 13


def test_a_model_that_did_not_find_an_event_counts_as_no_confidence_in_it() -> None:
    assert shown(vote({"a": [event(10, 0.9)], "b": []}, radius_s=3)) == [(10, 0.45, ("a",))]
    three = vote({"a": [event(10, 0.9)], "b": [], "c": []}, radius_s=3)
    assert shown(three) == [(10, 0.3, ("a",))]


def test_a_model_can_count_for_more() -> None:
    agreed = vote({"a": [event(10, 0.8)], "b": [event(12, 0.8)]}, 3, weights={"a": 3, "b": 1})
    assert shown(agreed) == [(10.5, 0.8, ("a", "b"))]
    alone = vote({"a": [], "b": [event(12, 0.8)]}, 3, weights={"a": 3, "b": 1})
    assert shown(alone) == [(12, 0.2, ("b",))]


@pytest.mark.parametrize(
    ("other", "found_by"),
    [(event(13.0), [("a", "b")]), (event(13.1), [("a",), ("b",)]),
     (event(10.0, label="Card"), [("b",), ("a",)])],
)  # fmt: skip
def test_only_events_of_one_label_within_the_radius_are_one(
    other: SpottedEvent, found_by: list[tuple[str, ...]]
) -> None:
    agreed = vote({"a": [event(10)], "b": [other]}, radius_s=3)
    assert [one.found_by for one in agreed] == found_by


def test_the_nearest_of_several_is_taken_and_the_others_stay() -> None:
    near, far = event(11, 0.4), event(8, 0.4)
    agreed = vote({"a": [event(10, 0.9)], "b": [far, near]}, radius_s=3)
    (both,) = (one for one in agreed if len(one.found_by) == 2)
    assert both.own["b"] == near
    assert [one.event.time_s for one in agreed if len(one.found_by) == 1] == [8]


events = st.lists(
    st.tuples(st.integers(0, 60), st.sampled_from([0.0, 0.4, 0.9]), st.sampled_from(["G", "C"])),
    max_size=8,
)


@settings(derandomize=True, deadline=None)
@given(a=events, b=events, c=events, chance=st.randoms(use_true_random=False))
def test_no_event_is_lost_or_counted_twice_and_no_order_matters(
    a: list[tuple[int, float, str]],
    b: list[tuple[int, float, str]],
    c: list[tuple[int, float, str]],
    chance: random.Random,
) -> None:
    found = {
        name: [event(time_s, sure, label) for time_s, sure, label in own]
        for name, own in (("a", a), ("b", b), ("c", c))
    }
    agreed = vote(found, radius_s=3)
    for name, own in found.items():
        taken = [one.own[name] for one in agreed if name in one.own]
        assert sorted(taken, key=repr) == sorted(own, key=repr)
    assert all(0 <= one.event.confidence <= 1 for one in agreed)
    mixed = {name: chance.sample(own, len(own)) for name, own in found.items()}
    assert shown(vote(mixed, radius_s=3)) == shown(agreed)


def test_what_one_model_alone_has_found_passes_only_if_it_is_likelier_than_not() -> None:
    agreed = vote({"a": [event(10, 0.9), event(30, 0.5)], "b": [event(50, 0.4)]}, radius_s=3)
    assert [one.time_s for one in accepted(agreed)] == [10]
    assert len(agreed) == 3, "what does not pass is still told"


def test_what_two_models_have_found_passes_however_unsure_they_are() -> None:
    agreed = vote({"a": [event(10, 0.2)], "b": [event(11, 0.1)], "c": []}, radius_s=3)
    assert len(accepted(agreed)) == 1
