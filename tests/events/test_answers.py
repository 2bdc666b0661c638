"""What models say of a window is read leniently, and never fails."""

from __future__ import annotations

import json

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from kairos_lib.events.answers import parse
from kairos_lib.parameters.spotting import Spotting

TASK = Spotting(
    name="t",
    title="T",
    labels={"Goal": ("goal scored",), "Yellow card": ("booking",), "Corner": ()},
    instruction="Which of {labels}?",
)


@pytest.mark.parametrize(
    "text",
    [
        '{"label": "Goal", "time": 2.5, "team": "home", "confidence": 0.9, "details": "A header"}',
        "{'label': 'Goal', 'time': 2.5, 'team': 'home', 'confidence': 0.9, 'details': 'A header'}",
        'Sure!\n```json\n{"label": "goal", "time": "2.5 s", "team": "home", "confidence": "90%", '
        '"details": "A header"}\n```\nThere {it} is.',
        '{"event": ["Goal scored"], "timestamp": 2.5, "team": "home", "score": 0.9, '
        '"description": "A header"} {"label": "Corner"}',
        '{oh} {"LABEL": " GOAL ", "time": 2.5, "team": "home", "confidence": 0.9, '
        '"details": "A header"}',
    ],
)
def test_one_answer_is_read_however_it_is_written(text: str) -> None:
    found = parse(text, TASK)
    assert (found.outcome, found.label, found.time_s) == ("event", "Goal", 2.5)
    assert (found.team, found.confidence, found.details) == ("home", 0.9, "A header")
    assert found.label_at is not None
    assert text[slice(*found.label_at)].strip().casefold().startswith("goal")


@pytest.mark.parametrize(
    ("text", "details"),
    [
        ("{'label': 'Goal', 'details': 'The player's header goes in'}",
         "The player's header goes in"),
        ("{'label': 'Goal', 'details': 'The keepers' error'}", "The keepers' error"),
        ('{"label": "Goal", "details": "They shout "goal" twice", "team": "away"}',
         'They shout "goal" twice'),
        ('{"label": "Goal", "details": "a } and a { in it"}', "a } and a { in it"),
    ],
)  # fmt: skip
def test_quotes_and_brackets_in_a_text_do_not_break_it(text: str, details: str) -> None:
    found = parse(text, TASK)
    assert (found.label, found.details) == ("Goal", details)


@pytest.mark.parametrize(
    ("text", "outcome"),
    [
        ('{"label": "no event"}', "no event"),
        ('{"label": null}', "no event"),
        ("{'label': 'None'}", "no event"),
        ("No event.", "no event"),
        ("yellow card", "event"),
        ('{"label": "Goal, Yellow card, Corner"}', "echo"),
        ('{"label": ["Goal", "Yellow card", "Corner"]}', "echo"),
        ("One of Goal, Yellow card or Corner", "echo"),
        ('{"label": "Throw-in"}', "other label"),
        ("", "unreadable"),
        ("A man runs with the ball.", "unreadable"),
        ('{"label": 7}', "unreadable"),
        ('{"time": 3}', "unreadable"),
        ('{"label": "Goal"', "unreadable"),
        ("{" * 3000, "unreadable"),
        ('{"a":' * 3000, "unreadable"),
        ("[" * 100_000, "unreadable"),
    ],
)
def test_what_is_no_event_is_an_outcome_of_its_own(text: str, outcome: str) -> None:
    assert parse(text, TASK).outcome == outcome


def test_two_of_many_labels_are_an_answer_that_chose_none_and_no_echo() -> None:
    many = TASK.model_copy(update={"labels": dict.fromkeys(("Goal", "Foul", "Corner", "Card"), ())})
    assert parse('{"label": "Goal or Foul"}', many).outcome == "other label"
    assert parse('{"label": "Goal, Foul, Corner"}', many).outcome == "echo"


@pytest.mark.parametrize("value", ["NaN", "Infinity", "1e999", "-0.2", "7", '"high"', "true", "[]"])
def test_a_confidence_that_is_no_share_is_none(value: str) -> None:
    found = parse(f'{{"label": "Goal", "confidence": {value}, "time": {value}}}', TASK)
    assert (found.outcome, found.confidence) == ("event", None)
    assert found.time_s in (None, -0.2, 7)


def test_a_text_that_never_ends_is_read_to_its_limit() -> None:
    found = parse(json.dumps({"label": "Goal", "details": "x" * 3000}), TASK)
    assert len(found.details) == 500
    assert parse("word " * 10**6 + '{"label": "Goal"}', TASK).outcome == "unreadable"


@settings(derandomize=True, deadline=None, max_examples=300)
@given(
    st.text(st.sampled_from(list("{}[]\"':,\\ abGoal\n0.9Nné")), max_size=400)
    | st.recursive(st.none() | st.floats() | st.text(), st.lists, max_leaves=5).map(
        lambda value: json.dumps({"label": value})
    )
)
@example("{'label': '\\d', 'x': 1" + "0" * 5000 + "}")
@example('{"label": "Goal", "time": 1' + "0" * 400 + "}")
def test_no_answer_makes_it_fail(text: str) -> None:
    found = parse(text, TASK)
    assert (found.outcome == "event") == bool(found.label)
    if found.label_at is not None:
        assert text[slice(*found.label_at)] == found.said
