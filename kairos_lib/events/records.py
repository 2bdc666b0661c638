"""Events as they are written to disk, and read from other people's files."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from kairos_lib.measure.usage import Resources
from kairos_lib.runs.record import Record
from kairos_lib.vlm.records import Timing

Visibility = Literal["visible", "not shown"]
"""Of an event of the ground truth: whether the camera shows it, in SoccerNet's words."""


Outcome = Literal["event", "no event", "echo", "other label", "unreadable", "failed"]
"""What came of a window: one of the labels; nothing happens; the list of labels repeated; a label
that is none of them; text without an object; or no answer at all."""


class Event(Record):
    """Something that happens at a moment of a video, predicted or true."""

    label: str
    time_s: float = Field(ge=0, allow_inf_nan=False)
    end_s: float | None = None
    """Of an event that lasts; none of one that is a moment."""
    confidence: float = Field(1.0, ge=0, le=1)
    """Of a prediction; 1 of the ground truth."""
    team: str = ""
    details: str = ""
    visibility: Visibility = "visible"


class SpottedEvent(Event):
    """An event that one or more windows found."""

    votes: int
    """Windows that found it."""
    windows: int
    """Windows that hold its moment, those that are silent about it included."""
    said_confidence: float | None = None
    """Mean of what the model said of itself; kept beside ours."""
    thumbnail: str = ""
    """File name in the run's `thumbnails/`."""


class WindowAnswer(Record):
    """What a model said of one window, and what it took; one line of `windows.jsonl`."""

    window: int
    """Its place on the grid."""
    start_s: float
    end_s: float
    outcome: Outcome
    label: str = ""
    """One of the task's, of an event."""
    said: str = ""
    """The label in the model's own words."""
    time_s: float | None = None
    """The moment that the answer names, on the video's clock; none where it names none within the
    window."""
    probability: float | None = None
    """Mean probability of the label's own tokens; none where nobody noted them."""
    said_confidence: float | None = None
    team: str = ""
    details: str = ""
    text: str = ""
    """The answer, word for word."""
    error: str = ""
    """Why there is none."""
    frame_times_s: tuple[float, ...] = ()
    frame_size_px: tuple[int, int] | None = None
    prompt_tokens: int = 0
    visual_tokens: int = 0
    new_tokens: int = 0
    truncated: bool = False
    timing: Timing = Timing()
    """Its even share of its batch."""
    batch_size: int = 1
    part: str = ""
    """Which session of the run asked; more than one means that the run was resumed."""
    elapsed_s: float = 0.0
    """From the start of that session's clock until this answer was ready."""

    @property
    def middle_s(self) -> float:
        """Of the window."""
        return (self.start_s + self.end_s) / 2

    def holds(self, time_s: float) -> bool:
        """Whether a moment is in the window."""
        return self.start_s <= time_s < self.end_s


class EventsResult(Record):
    """What spotting came to over one video, or one slice of it; `result.json`."""

    key: str
    model: str
    model_title: str
    task: str
    task_title: str
    video: str
    title: str
    duration_s: float
    """Of the video."""
    asked_s: float
    """Of the part that was asked about: from its first window's start to its last one's end."""
    windows: int
    outcomes: dict[str, int]
    """Windows of each outcome."""
    events: int
    load_s: float
    time_s: float
    """From the first frame drawn to the last answer; the sum of its parts where it was resumed, or
    of its slices."""
    timing: Timing
    """Sums over the windows."""
    new_tokens: int
    batch_size: int
    """Largest batch that worked."""
    parts: int
    """Sessions it took."""
    slices: int = 1
    taken_over: bool = False
    """Whether the windows are those of another run, which asked the same and merged otherwise."""
    resources: Resources = Resources()
    weights_source: str = ""
    weights: str = ""
    device: str = ""
    synthetic_video: bool = False
