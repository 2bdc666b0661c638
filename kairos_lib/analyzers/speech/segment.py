"""A part of transcribed speech."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import SerializerFunctionWrapHandler, model_serializer

from kairos_lib.runs.record import Record


class Word(Record):
    """One word, as it is written: with the punctuation that follows it."""

    start_s: float
    end_s: float
    text: str
    probability: float
    """The model's own, from 0 to 1."""


class Segment(Record):
    """A part of transcribed speech, assigned to the scene it overlaps most."""

    scene: int
    start_s: float
    end_s: float
    text: str
    words: tuple[Word, ...] = ()
    """In order of time; empty unless `speech.word_times` is on."""

    @model_serializer(mode="wrap")
    def _without_words_that_are_not_there(
        self, handler: SerializerFunctionWrapHandler
    ) -> dict[str, Any]:
        # Files of runs without times of words stay as they have always been.
        values: dict[str, Any] = handler(self)
        return values if self.words else {k: v for k, v in values.items() if k != "words"}

    def without_words(self) -> Segment:
        """The same, as exports and prompts have it."""
        return self.model_copy(update={"words": ()})


def in_order(segments: Sequence[Segment]) -> tuple[Segment, ...]:
    """A scene's segments, in order of their start."""
    return tuple(sorted(segments, key=lambda segment: segment.start_s))


def transcript(segments: Sequence[Segment]) -> str:
    """The text spoken in a scene."""
    return " ".join(segment.text for segment in in_order(segments))
