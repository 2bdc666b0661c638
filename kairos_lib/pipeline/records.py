"""What base processing of a video came to."""

from __future__ import annotations

from typing import Literal

from kairos_lib.measure.usage import Resources
from kairos_lib.media.facts import VideoFacts
from kairos_lib.runs.record import Record


class StageReport(Record):
    """How one analyzer of base processing went."""

    name: str
    state: Literal["running", "done", "skipped", "failed"]
    """`running` is left behind by a sitting that was cut short."""
    reason: str = ""
    key: str = ""
    """Hash of all that the stage's results depend on."""
    time_s: float = 0.0
    """At work, waiting for frames and for other stages left out."""
    load_s: float = 0.0
    """Loading libraries and weights, before `time_s`."""
    began_s: float = 0.0
    """Seconds after the start of the sitting."""
    ended_s: float = 0.0
    records: int = 0
    weights: str = ""
    """Identity of the weights used: a commit or a SHA-256."""
    weights_source: Literal["", "hub", "url", "path", "nano", "dummy", "server"] = ""
    batch_size: int | None = None
    """Largest batch that fitted, of a stage that works in batches."""
    resources: Resources | None = None
    """Of the whole kernel from `began_s` to `ended_s`; other stages can have run at once."""
    remedy: str = ""
    """How to get the weights that it was skipped for want of; empty where it was not."""
    reused: bool = False
    """Taken from another base run of the same video, times included."""


class PassReport(StageReport):
    """How the one pass over the frames went, and what was wrong with the file."""

    broken: int = 0
    """Packets that could not be decoded, or not wholly."""


class BaseResult(Record):
    """What base processing of one video came to; `result.json` of a base run."""

    key: str
    video: str
    title: str
    facts: VideoFacts
    profile: str
    scenes: int
    stages: tuple[StageReport, ...]
    decode_s: float
    """Wall time of the pass over the frames, shared by all that look at them."""
    total_s: float
    """Wall time of the sitting that finished; stages overlap, so it is less than their sum. What
    was done before it, or was taken over, is not in it."""
    resources: Resources | None = None
    """Of the whole kernel in that sitting; none where nothing was left to run, or where that was
    not recorded."""
    resumed: bool = False
    """It was interrupted, and some of it was done before that sitting began."""
    synthetic_video: bool = False

    @property
    def missing(self) -> tuple[StageReport, ...]:
        """Stages that failed: models that were told what these find cannot be run."""
        return tuple(stage for stage in self.stages if stage.state == "failed")
