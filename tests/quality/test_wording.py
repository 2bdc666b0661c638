"""How captions are worded: repetition, refusals, language."""

from __future__ import annotations

import pytest

from kairos_lib.quality.language import language
from kairos_lib.quality.refusals import refuses
from kairos_lib.quality.wording import distinct, repeated, words


def test_words_are_compared_without_case_and_punctuation() -> None:
    assert words("A dog's Ball — red_hot, 2!") == ["a", "dog", "s", "ball", "red", "hot", "2"]


def test_a_caption_that_goes_round_in_circles_repeats_itself() -> None:
    # 8 runs of four words: 5 distinct ones, 4 of the loop and the last.
    loop = words("a man walks away a man walks away a man runs")
    assert repeated(loop) == pytest.approx(1 - 5 / 8)
    assert repeated(words("every word of this caption is another one")) == 0
    assert repeated(words("too short here")) is None


def test_distinct_pairs_are_counted_over_all_captions() -> None:
    assert distinct([words("a red ball"), words("a red car")]) == pytest.approx(3 / 4)
    assert distinct([["one"], []]) is None


@pytest.mark.parametrize(
    "text",
    [
        "I'm sorry, but I can’t help with that.",
        "As an AI language model, I do not watch videos.",
        "Unable to view the content of this frame.",
        "There is a room. However, I cannot identify the people in it.",
        "I don't see any image. Please provide one.",
        "No image was provided.",
    ],
)
def test_a_caption_that_declines_is_a_refusal(text: str) -> None:
    assert refuses(text)


@pytest.mark.parametrize(
    "text",
    [
        'A man says "I cannot believe it" and leaves.',
        "The goalkeeper cannot reach the ball.",
        "A woman is sorry for the dog and pets it.",
        "An aide opens the door.",
        "",
    ],
)
def test_a_caption_that_describes_is_none(text: str) -> None:
    assert not refuses(text)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("A man in a suit is talking to a woman at a table.", "en"),
        ("Ein Mann spricht mit einer Frau in einer Küche.", "de"),
        ("Un homme parle avec une femme dans une cuisine.", "fr"),
        ("A ball.", None),
        ("12 : 30 - 45", None),
    ],
)
def test_a_language_is_named_only_where_there_is_enough_to_tell(
    text: str, code: str | None
) -> None:
    assert language(text) == code
