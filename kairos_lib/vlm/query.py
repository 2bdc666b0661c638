"""What a model is asked about a stretch of a video, and what it answers.

Knows nothing of scenes: they are one way to make queries, windows that slide are another.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from kairos_lib.parameters.model import Model
from kairos_lib.vlm.records import Timing
from kairos_lib.vlm.sampling import frame_times_s


@dataclass(frozen=True)
class Query:
    """One thing to be asked; a query in the sense of MLPerf, which counts and times them."""

    number: int
    """By which its answer is known."""
    start_s: float
    end_s: float
    """Of the stretch that is asked about."""
    times_s: tuple[float, ...]
    """The moments to look at, in ascending order; at least one."""
    prompt: str
    """What is known of the stretch, a line each, then the question."""
    question: str = ""
    """The question alone, with which the prompt ends and which is never cut; where it is left out,
    the whole prompt."""

    @classmethod
    def of(cls, model: Model, number: int, start_s: float, end_s: float, prompt: str) -> Query:
        """What a model is asked about a stretch, looking where its parameters say.

        Args:
            model: The parameters.
            number: By which the answer is known.
            start_s: Where the stretch begins.
            end_s: Where it ends.
            prompt: Ends with the model's instruction.
        """
        times_s = frame_times_s(start_s, end_s, model.frames)
        return cls(number, start_s, end_s, tuple(times_s), prompt, model.prompt.instruction)


@dataclass(frozen=True)
class Answer:
    """What a model answered to one query, and what it took."""

    number: int
    """The query's."""
    text: str
    error: str = ""
    """Why there is no text, where the query came to nothing."""
    no_room: bool = False
    """Whether that is for want of memory: smaller frames may have room."""
    frame_times_s: tuple[float, ...] = ()
    """Of the frames that were really shown."""
    frame_size_px: tuple[int, int] | None = None
    """Width and height of the frames as the model's processor was given them."""
    prompt_tokens: int = 0
    """All tokens of the prompt, visual ones included."""
    visual_tokens: int = 0
    left_out_chars: int = 0
    """Of the lines before the question: the model's context had no room for them."""
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
    """Answers that were written together."""

    answers: list[Answer]
    limit: int
    """The largest batch that the device is known or hoped to hold."""
