"""Average-mAP: equal to the `SoccerNet` package, whose answers are committed."""

import json
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kairos_lib.errors import KairosError
from kairos_lib.events.average_map import AverageMap, AveragePrecision, average_map
from kairos_lib.events.records import Event

ANSWERS = Path(__file__).parent / "soccernet_answers.json"
CASES: list[dict[str, Any]] = json.loads(ANSWERS.read_text())
TOLERANCES = {"loose": "loose", "tight": "tight", "at1": 1, "at5": 5}
SEEDED = settings(derandomize=True, deadline=None, max_examples=60)


def halves(case: dict[str, Any], events: str) -> list[list[Event]]:
    """What a case says, not checked as records are: the package takes negative times as well."""
    found: list[list[Event]] = [[] for _ in range(2 * case["games"])]
    for half, label, at_ms, value in case[events]:
        told = {"label": f"label {label}", "time_s": at_ms / 1000}
        if events == "truth":
            told["visibility"] = "visible" if value else "not shown"
        else:
            told["confidence"] = value
        found[half].append(Event.model_construct(**told))
    return found


def listed(part: AveragePrecision) -> list[float]:
    return [part.overall, *part.per_label.values()]


def goals(*times_s: float, **more: Any) -> list[Event]:
    return [Event(label="Goal", time_s=time_s, **more) for time_s in times_s]


def measured(truth: list[Event], predicted: list[Event], tolerances: Any = 5) -> AverageMap:
    return average_map([truth], [predicted], ["Goal"], tolerances)


def test_there_are_two_hundred_cases_of_each_kind_of_trouble() -> None:
    kinds = {case["name"].rpartition(" ")[0] for case in CASES}
    assert (len(CASES), len(kinds)) == (200, 13)
    assert any(at_ms < 0 for case in CASES for _, _, at_ms, _ in case["predicted"])
    assert any(any(v > 1 for part in c["answers"]["loose"] for v in part) for c in CASES)


@pytest.mark.parametrize("metric", TOLERANCES)
def test_all_answers_of_the_package_are_ours(metric: str) -> None:
    for case in CASES:
        labels = [f"label {number}" for number in range(case["labels"])]
        truth, predicted = halves(case, "truth"), halves(case, "predicted")
        ours = average_map(truth, predicted, labels, TOLERANCES[metric])
        for part, theirs in zip(
            (ours, ours.visible, ours.unshown), case["answers"][metric], strict=True
        ):
            assert list(part.per_label) == labels
            assert listed(part) == pytest.approx(theirs, rel=0, abs=1e-9), case["name"]


def test_a_tolerance_is_the_whole_width() -> None:
    assert measured(goals(100), goals(102.5)).overall == 1
    assert measured(goals(100), goals(103)).overall == 0


def test_labels_that_never_happen_count_as_nothing_but_not_in_the_mean_of_those_present() -> None:
    found = average_map([goals(10)], [goals(10)], ["Goal", "Corner"], "tight")
    assert (found.overall, found.present) == (0.5, 1)
    assert (found.visible.overall, found.visible.present) == (0.5, 1)
    assert (found.unshown.overall, found.unshown.present) == (0, None)


def test_the_mean_of_the_unshown_is_enlarged_and_that_of_those_present_is_not() -> None:
    unshown = goals(10, visibility="not shown")
    found = average_map([unshown], [goals(10)], ["Goal"], "loose").unshown
    assert found.overall == pytest.approx(17 / 13)
    assert (found.present, found.per_label) == (1, {"Goal": 1})
    assert average_map([unshown], [goals(10)], ["Goal"], 5).unshown.overall == 1


def test_the_last_prediction_of_a_half_second_wins() -> None:
    first, last = goals(100, confidence=0.9), goals(100.4, confidence=0.2)
    wrong = goals(200, confidence=0.5)
    assert measured(goals(100), first + last + wrong).overall == pytest.approx(0.5)
    assert measured(goals(100), last + first + wrong).overall == 1


def test_all_after_two_hours_is_one_moment() -> None:
    assert measured(goals(8000), goals(1e300)).overall == 1
    assert measured(goals(7190), goals(8000)).overall == 0


@pytest.mark.parametrize("tolerances", ["loose", "tight", 1, 0.25, 1e300])
def test_nothing_at_all_is_measured_as_nothing(tolerances: Any) -> None:
    for truth, predicted in (([], []), ([[]], [[]]), ([[], []], [goals(1), []])):
        found = average_map(truth, predicted, ["Goal"], tolerances)
        assert listed(found) == listed(found.visible) == listed(found.unshown) == [0, 0]
        assert found.present is None
    assert listed(average_map([goals(1)], [[]], ["Goal"], tolerances)) == [0, 0]


events = st.lists(
    st.builds(
        Event,
        label=st.sampled_from(["Goal", "Corner", "Foul"]),
        time_s=st.floats(0, 100) | st.floats(0, allow_infinity=False),
        confidence=st.sampled_from([0.0, 0.5, 1.0]) | st.floats(0, 1),
        visibility=st.sampled_from(["visible", "not shown"]),
    ),
    max_size=20,
)


@SEEDED
@given(events, events, st.sampled_from(["loose", "tight", 1, 7.5]))
def test_whatever_happens_comes_to_a_share(
    truth: list[Event], predicted: list[Event], tolerances: Any
) -> None:
    found = average_map([truth], [predicted], ["Goal", "Corner"], tolerances)
    for part in (found, found.visible, found.unshown):
        values = [*part.per_label.values(), part.present or 0, part.overall / (17 / 13)]
        assert all(0 <= value <= 1 + 1e-12 and math.isfinite(value) for value in values)
    others = average_map([[], truth], [[], predicted], ["Corner", "Goal"], tolerances)
    assert others.overall == pytest.approx(found.overall)


def test_what_cannot_be_measured_is_told() -> None:
    with pytest.raises(KairosError, match="no labels"):
        average_map([], [], [], "loose")
    with pytest.raises(KairosError, match="'Goal' is named twice"):
        average_map([], [], ["Goal", "Goal"], "loose")
    with pytest.raises(KairosError, match="2 halves or videos and the predictions have 1"):
        average_map([[], []], [[]], ["Goal"], "loose")
    for tolerances in ("at-5", 0, -1, math.nan, math.inf):
        with pytest.raises(KairosError, match="there is no tolerance"):
            average_map([[]], [[]], ["Goal"], tolerances)  # type: ignore[arg-type]
