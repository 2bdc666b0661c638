"""Results of base processing of a video."""

from __future__ import annotations

from typing import Literal

from kairos_lib.measure.usage import Resources
from kairos_lib.media.facts import VideoFacts
from kairos_lib.runs.record import Record


class StageReport(Record):
    """How one analyzer of base processing went."""

    name: str
    state: Literal["running", "done", "skipped", "failed"]
    """`running` means that the run was cut short during this stage."""
    reason: str = ""
    key: str = ""
    """Hash of everything the stage's results depend on."""
    time_s: float = 0.0
    """Running time, without waiting for frames and for other stages."""
    load_s: float = 0.0
    """Loading libraries and weights, before `time_s`."""
    began_s: float = 0.0
    """Seconds after the start of this part of the run."""
    ended_s: float = 0.0
    records: int = 0
    weights: str = ""
    """Identity of the weights used: a commit or a SHA-256."""
    weights_source: Literal["", "hub", "url", "path", "nano", "dummy", "server", "package"] = ""
    batch_size: int | None = None
    """Largest batch that fitted, for a stage that works in batches."""
    resources: Resources | None = None
    """Of the whole kernel from `began_s` to `ended_s`; other stages may have run at once."""
    remedy: str = ""
    """How to get the missing weights for which it was skipped; empty if it was not."""
    reused: bool = False
    """Reused from another base run of the same video, times included."""


class PassReport(StageReport):
    """How the single pass over the frames went, and what was wrong with the file."""

    broken: int = 0
    """Number of packets that could not be decoded fully."""


class BaseResult(Record):
    """Results of base processing of one video; `result.json` of a base run."""

    key: str
    video: str
    title: str
    facts: VideoFacts
    profile: str
    scenes: int
    stages: tuple[StageReport, ...]
    decode_s: float
    """Wall time of the pass over the frames, shared by all stages that read them."""
    total_s: float
    """Wall time of the part of the run that finished it; stages overlap, so it is less than their
    sum. Work done before that, or taken over, is not included."""
    resources: Resources | None = None
    """Of the whole kernel in that part; None if nothing was left to run, or if it was not
    recorded."""
    resumed: bool = False
    """It was interrupted, and some of it was done before that part began."""
    synthetic_video: bool = False

    @property
    def missing(self) -> tuple[StageReport, ...]:
        """Stages that failed: models that get their findings cannot be run."""
        return tuple(stage for stage in self.stages if stage.state == "failed")
