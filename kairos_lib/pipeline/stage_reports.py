"""How each stage of a video's base processing went: its report, written as it goes."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from kairos_lib.analyzers.analyzer import Stage
from kairos_lib.analyzers.profile import Base
from kairos_lib.errors import KairosError
from kairos_lib.measure.resources import summarise
from kairos_lib.media.passes import FrameFeed
from kairos_lib.pipeline.records import StageReport
from kairos_lib.runs.files import read_record, write_record
from kairos_lib.weights.location import Found

RESOURCES = "resources.jsonl"
Source = Literal["", "hub", "url", "path", "nano", "dummy", "server", "package"]
State = Literal["running", "done", "skipped", "failed"]


@dataclass
class Work:
    """One stage to run, and its state."""

    stage: Stage
    feed: FrameFeed | None
    settled: threading.Event = field(default_factory=threading.Event)
    """Set when it has ended, in whatever way."""
    outcome: State = "running"
    """How it ended, once that is recorded; until then nothing can build on it."""
    began_s: float = 0.0
    ended_s: float = 0.0
    time_s: float = 0.0
    load_s: float = 0.0
    records: int = 0


class StageReports:
    """The reports in one run folder.

    Args:
        folder: The run's.
        profile: What is run.
        keys: Of each stage.
        weights: Of each stage that uses any.
    """

    def __init__(
        self, folder: Path, profile: Base, keys: Mapping[str, str], weights: Mapping[str, Found]
    ) -> None:
        self._folder = folder
        self._profile = profile
        self._keys = keys
        self._weights = weights

    def read(self, name: str) -> StageReport | None:
        """How a stage went, if it was run."""
        return read_record(self._folder / f"{name}.json", StageReport)

    def write(self, work: Work, state: State, reason: str = "") -> None:
        """Record how a stage is going, or how it ended."""
        name = work.stage.name
        source = self._source(work.stage)
        report = StageReport(
            name=name,
            state=state,
            reason=reason,
            key=self._keys[name],
            time_s=work.time_s,
            load_s=work.load_s,
            began_s=work.began_s,
            ended_s=work.ended_s,
            records=work.records,
            weights=self._weights[name].identity if source else "",
            weights_source=source,
            batch_size=work.stage.batch_size,
            remedy=self._remedy(work.stage) if state == "skipped" else "",
        )
        write_record(self._folder / f"{name}.json", report)

    def _remedy(self, stage: Stage) -> str:
        """How to get the weights that a stage was skipped for."""
        wanting = not stage.skip() and stage.uses_weights(self._profile)
        return stage.remedy(self._profile) if wanting else ""

    def _source(self, stage: Stage) -> Source:
        if not stage.uses_weights(self._profile):
            return ""
        weights = stage.weights(self._profile)
        return weights.source if weights else ""

    def add_resources(self, works: Iterable[Work], began: float) -> None:
        """Add to each stage's report what the kernel used meanwhile, from this part's log."""
        for work in works:
            name = work.stage.name
            report = self.read(name)
            if report is not None and work.ended_s > work.began_s > 0:
                span = (began + work.began_s, began + work.ended_s)
                used = summarise(self._folder / RESOURCES, *span)
                write_record(
                    self._folder / f"{name}.json", report.model_copy(update={"resources": used})
                )


def require(reports: Iterable[StageReport]) -> None:
    """Check that no stage failed.

    Raises:
        KairosError: One did.
    """
    for report in reports:
        if report.state == "failed":
            raise KairosError(
                f"{report.name} failed: {report.reason} (the other stages' results are kept; the "
                "same command tries this one again)"
            )
