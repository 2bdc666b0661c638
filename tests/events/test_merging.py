"""When an event was, and how sure that is, from what overlapping windows say."""

from __future__ import annotations

import itertools
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kairos_lib.events.average_map import average_map
from kairos_lib.events.merging import merged, perfect
from kairos_lib.events.records import Event, SpottedEvent, WindowAnswer
from kairos_lib.events.windows import grid
from kairos_lib.parameters.spotting import Spotting, Windows

TASK = Spotting(
    name="t", title="T", labels={"Goal": (), "Card": ()}, instruction="{labels}?",
    windows=Windows(frames_per_second=1, frames=4, step_s=2), merge_radius_s=3,
)  # fmt: skip
NAMED = TASK.model_copy(update={"time_from": "answers"})


def answer(
    start_s: float, label: str = "", probability: float | None = 0.8, **more: object
) -> WindowAnswer:
    return WindowAnswer.model_validate(
        {
            "window": round(start_s / 2), "start_s": start_s, "end_s": start_s + 4,
            "outcome": "event" if label else "no event", "label": label,
            "probability": probability if label else None, **more,
        }
    )  # fmt: skip


def told(events: list[SpottedEvent]) -> list[tuple[str, float, float]]:
    return [(event.label, event.time_s, event.confidence) for event in events]


def test_the_time_is_the_middle_of_what_all_windows_share_that_found_it() -> None:
    windows = [answer(0), answer(2, "Goal"), answer(4, "Goal"), answer(6)]
    (event,) = merged(windows, TASK)
    assert (event.time_s, event.votes) == (5.0, 2)


def test_the_confidence_is_the_mean_over_all_windows_that_hold_the_moment() -> None:
    """The silent ones count nothing; those that failed are not counted."""
    both = [answer(2, "Goal", 0.9), answer(4, "Goal", 0.5)]
    assert told(merged(both, TASK)) == [("Goal", 5.0, 0.7)]
    one = [answer(2), answer(4, "Goal", 0.9), answer(6)]
    (event,) = merged(one, TASK)
    assert (event.time_s, event.confidence, event.votes, event.windows) == (6.0, 0.45, 1, 2)
    other = [answer(2), answer(4, "Goal", 0.9), answer(6, "Card", 0.1)]
    assert ("Goal", 6.0, 0.45) in told(merged(other, TASK))
    failed = [answer(4, "Goal", 0.9), answer(6).model_copy(update={"outcome": "failed"})]
    assert told(merged(failed, TASK)) == [("Goal", 6.0, 0.9)]


def test_windows_that_hold_more_than_the_shared_stretch_pull_nothing() -> None:
    """A vote that shares no stretch with the others is no part of their event, nor another."""
    windows = [answer(0, "Goal", 0.4), answer(2, "Goal", 0.9), answer(4, "Goal", 0.8), answer(6)]
    (event,) = merged(windows, TASK)
    assert event.time_s == 5.0
    assert event.votes == 2


def test_two_labels_at_a_moment_are_two_events_and_far_ones_of_a_label_too() -> None:
    windows = [answer(2, "Goal"), answer(4, "Card"), answer(20, "Goal"), answer(22, "Goal")]
    assert [(e.label, e.time_s) for e in merged(windows, TASK)] == [
        ("Goal", 4.0), ("Card", 6.0), ("Goal", 23.0),
    ]  # fmt: skip


@pytest.mark.parametrize(("radius_s", "count"), [(3, 2), (10, 1)])
def test_events_of_a_label_are_never_closer_than_the_radius(radius_s: float, count: int) -> None:
    windows = [answer(0, "Goal", 0.6), answer(6, "Goal", 0.9)]
    found = merged(windows, TASK.model_copy(update={"merge_radius_s": radius_s}))
    assert len(found) == count
    assert found[-1].time_s == 8.0


def test_a_moment_that_answers_name_counts_where_the_task_says_so() -> None:
    windows = [answer(2, "Goal", 0.9, time_s=4.0), answer(4, "Goal", 0.8, time_s=4.0), answer(6)]
    assert merged(windows, TASK)[0].time_s == 5.0
    assert merged(windows, NAMED)[0].time_s == 4.0
    unnamed = [answer(2, "Goal"), answer(4, "Goal")]
    assert merged(unnamed, NAMED)[0].time_s == 5.0


def test_what_models_say_of_themselves_is_kept_beside() -> None:
    windows = [answer(2, "Goal", 0.2, said_confidence=0.9),
               answer(4, "Goal", 0.4, said_confidence=1.0)]  # fmt: skip
    (event,) = merged(windows, TASK)
    assert (event.confidence, event.said_confidence) == (0.3, 0.95)
    (event,) = merged([answer(2, "Goal", None)], TASK)
    assert (event.confidence, event.said_confidence) == (1.0, None)


@settings(derandomize=True, deadline=None, max_examples=150)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["", "Goal", "Card"]), st.sampled_from([0.1, 0.5, 0.50001, 0.9]),
            st.sampled_from([None, 0.0, 1.0, 3.0]),
        ),
        max_size=30,
    ),
    st.booleans(),
    st.randoms(use_true_random=False),
)  # fmt: skip
def test_events_depend_on_no_order(
    said: list[tuple[str, float, float | None]], named: bool, shuffled: random.Random
) -> None:
    answers = [
        answer(2.0 * n, label, probability, time_s=None if at is None else 2 * n + at)
        for n, (label, probability, at) in enumerate(said)
    ]
    task = NAMED if named else TASK
    events = merged(answers, task)
    again = list(answers)
    shuffled.shuffle(again)
    assert merged(again, task) == events
    assert all(0 <= event.confidence <= 1 for event in events)
    for label in ("Goal", "Card"):
        times_s = [event.time_s for event in events if event.label == label]
        assert all(b - a > task.merge_radius_s for a, b in itertools.pairwise(times_s))
        assert bool(times_s) == any(one == label for one, *_ in said)


def test_a_detector_without_fault_finds_each_event_within_half_a_step() -> None:
    truth = [Event(label="Goal", time_s=t) for t in (2.5, 7.3, 33.9, 59.9)]
    windows = grid(60.0, TASK.windows)
    events = merged(perfect(truth, windows), TASK)
    assert [e.time_s for e in events] == pytest.approx([t.time_s for t in truth], abs=1.0)
    named = merged(perfect(truth, windows), NAMED)
    assert [e.time_s for e in named] == [2.5, 7.3, 33.9, 59.9]


def test_the_shared_stretch_is_a_better_time_than_a_windows_start_or_centre() -> None:
    """The figures of docs/events.md: a detector without fault, tight average-mAP."""
    chance = random.Random(1)
    labels = [f"c{number}" for number in range(17)]
    task = TASK.model_copy(update={"labels": dict.fromkeys(labels, ())})
    truth: list[list[Event]] = []
    for _ in range(8):
        times_s = itertools.accumulate(chance.uniform(10, 40) for _ in range(100))
        truth.append([Event(label=chance.choice(labels), time_s=t) for t in times_s if t < 2990])
    windows = grid(3000.0, task.windows)
    answers = [perfect(events, windows) for events in truth]

    def tight(found: list[list[Event]]) -> float:
        return average_map(truth, found, labels, "tight").overall

    def kept(game: list[WindowAnswer], share: float) -> list[Event]:
        """The first window of each event, at its start or centre."""
        last_s: dict[str, float] = {}
        found = []
        for one in (a for a in game if a.outcome == "event"):
            time_s = one.start_s + share * (one.end_s - one.start_s)
            if time_s - last_s.get(one.label, -99.0) > task.merge_radius_s:
                found.append(Event(label=one.label, time_s=time_s))
                last_s[one.label] = time_s
        return found

    assert tight([kept(game, 0.0) for game in answers]) == pytest.approx(0.05, abs=0.03)
    assert tight([kept(game, 0.5) for game in answers]) == pytest.approx(0.79, abs=0.03)
    assert tight([[*merged(game, task)] for game in answers]) == pytest.approx(0.94, abs=0.03)
    named = task.model_copy(update={"time_from": "answers"})
    assert tight([[*merged(game, named)] for game in answers]) == 1.0
