"""A question to a model about a part of a video, and its answer.

Knows nothing of scenes: they are one way to make queries, sliding windows are another.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from kairos_lib.parameters.model import Model
from kairos_lib.vlm.records import Timing
from kairos_lib.vlm.sampling import frame_times_s


@dataclass(frozen=True)
class Query:
    """One query in the sense of MLPerf: the unit that is counted and timed."""

    number: int
    """Identifies its answer."""
    start_s: float
    end_s: float
    """Of the part of the video in question."""
    times_s: tuple[float, ...]
    """Times of the frames to show, in ascending order; at least one."""
    prompt: str
    """What is known about this part, one line each, then the question."""
    question: str = ""
    """The question alone, with which the prompt ends and which is never cut; if left out, the whole
    prompt."""

    @classmethod
    def of(cls, model: Model, number: int, start_s: float, end_s: float, prompt: str) -> Query:
        """Make a query about a part of a video, with frames chosen by the model's parameters.

        Args:
            model: The parameters.
            number: Identifies the answer.
            start_s: Start of the part.
            end_s: End of the part.
            prompt: Ends with the model's instruction.
        """
        times_s = frame_times_s(start_s, end_s, model.frames)
        return cls(number, start_s, end_s, tuple(times_s), prompt, model.prompt.instruction)


@dataclass(frozen=True)
class Answer:
    """A model's answer to one query, with times and token counts."""

    number: int
    """The query's."""
    text: str
    error: str = ""
    """Why there is no text, where the query came to nothing."""
    no_room: bool = False
    """Whether that is for want of memory: smaller frames may have room."""
    frame_times_s: tuple[float, ...] = ()
    """Times of the frames that were actually shown."""
    frame_size_px: tuple[int, int] | None = None
    """Width and height of the frames given to the model's processor."""
    prompt_tokens: int = 0
    """All tokens of the prompt, visual ones included."""
    visual_tokens: int = 0
    left_out_chars: int = 0
    """Of the lines before the question that did not fit into the model's context."""
    new_tokens: int = 0
    truncated: bool = False
    """Cut off by the limit on new tokens."""
    timing: Timing = field(default_factory=Timing)
    """Of this query alone, or its even share of its batch."""
    tokens: tuple[int, ...] = ()
    """That were written, where how they are chosen was asked for."""
    log_probabilities: tuple[float, ...] = ()
    """Of each of them."""
    batch_size: int = 1
    elapsed_s: float = 0.0
    """Wall time from the start of the scenario's clock until this answer was ready."""


@dataclass(frozen=True)
class AnsweredBatch:
    """Answers that were generated together."""

    answers: list[Answer]
    limit: int
    """The largest batch that the device can hold, as known or estimated."""
