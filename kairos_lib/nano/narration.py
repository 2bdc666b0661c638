"""What the voices of the small world say: a grammar of about ninety words. Knows no sound."""

from __future__ import annotations

import random
import re

from kairos_lib.nano.world import COLOURS, KINDS, SIZES, Colour, Kind, Style

_ANYWHERE = (
    "now the {colour} {kind} moves to the {side}",
    "look at the {size} {colour} {kind}",
    "here is a {colour} {kind}",
    "the {size} {kind} stays still",
    "a {colour} {kind} grows and grows",
    "there are {number} shapes on the field",
    "the {colour} {kind} is {size}",
)

SENTENCES: dict[Style, tuple[str, ...]] = {
    "match": (
        "the {colour} {kind} runs to the {side}",
        "the {colour} {kind} passes to the {colour2} {kind2}",
        "what a goal by the {colour} {kind}",
        "a foul by the {size} {kind}",
        "the crowd is happy",
        "{number} minutes to go",
        *_ANYWHERE,
    ),
    "recipe": (
        "first we take the {size} {colour} {kind}",
        "next we add a {colour} {kind} to the bowl",
        "then stir it slowly",
        "wait until the {colour} {kind} grows",
        "cut the {kind} and put it on the {side}",
        "step {number} is easy",
        "now it is ready",
        *_ANYWHERE,
    ),
    "dialogue": (
        "do you see the {colour} {kind}",
        "yes i see it on the {side}",
        "no i see a {colour} {kind}",
        "where is the {colour} {kind}",
        "it is on the {side}",
        "what is that",
        "i like the {size} {colour} one",
        *_ANYWHERE,
    ),
    "speech": (
        "my friends thank you for coming",
        "today we speak of the {colour} {kind}",
        "the {colour} {kind} is our future",
        "we want a {size} {kind} for all of you",
        "never stop and never look down",
        "thank you",
        *_ANYWHERE,
    ),
}

SIDES = ("left", "right")
NUMBERS = ("two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")

_MENTION = re.compile(rf"\b({'|'.join(COLOURS)}) ({'|'.join(KINDS)})\b")


def sentence(rng: random.Random, style: Style) -> str:
    """Draw a sentence, in small letters and without a stop, as a transcript has it."""
    said = rng.choice(SENTENCES[style]).format(
        colour=rng.choice(COLOURS),
        colour2=rng.choice(COLOURS),
        kind=rng.choice(KINDS),
        kind2=rng.choice(KINDS),
        size=rng.choice(SIZES),
        side=rng.choice(SIDES),
        number=rng.choice(NUMBERS),
    )
    return said.replace("a orange", "an orange")


def vocabulary() -> frozenset[str]:
    """Every word that a voice can say."""
    words = {w for said in SENTENCES.values() for s in said for w in s.split() if "{" not in w}
    return frozenset(words | {"an", *COLOURS, *KINDS, *SIZES, *SIDES, *NUMBERS})


def first_mention(transcript: str) -> tuple[Colour, Kind] | None:
    """The first coloured shape that is spoken of, or None."""
    found = _MENTION.search(transcript.lower())
    if found is None:
        return None
    return next(c for c in COLOURS if c == found[1]), next(k for k in KINDS if k == found[2])
