"""Runs the stages of a profile: one pass over the frames, then each in the order of its needs.

A stage that is done is not run again; one that fails does not lose the others' work.
"""

from __future__ import annotations

import functools
import logging
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from kairos_lib.errors import KairosError
from kairos_lib.measure.clock import Stopwatch
from kairos_lib.media.video import VideoFile
from kairos_lib.records import StageReport, VideoFacts
from kairos_lib.runs import Journal, read_record, write_record
from kairos_lib.settings import Base
from kairos_lib.stages.stage import Context, Stage, find
from kairos_lib.weights import Found

FRAMES = "frames"
"""The shared pass, as it is reported beside the stages."""
log = logging.getLogger(__name__)


def order(wanted: tuple[str, ...]) -> list[type[Stage]]:
    """The stages asked for and all they need, each after what it needs."""
    ordered: dict[str, type[Stage]] = {}

    def add(name: str) -> None:
        if name in ordered:
            return
        stage = find(name)
        for need in stage.needs:
            add(need)
        ordered[name] = stage

    add("scenes")  # Everything is told by scenes.
    for name in wanted:
        add(name)
    return list(ordered.values())


class Graph:
    """The stages of one video's base processing, in one run folder."""

    def __init__(
        self,
        video: Path,
        facts: VideoFacts,
        profile: Base,
        folder: Path,
        weights: dict[str, Found],
        progress: Callable[[str, int, int], None],
    ) -> None:
        self._video = video
        self._facts = facts
        self._folder = folder
        self._progress = progress
        self.stages = order(profile.stages)
        self._contexts = {
            stage.name: Context(
                video=video,
                facts=facts,
                profile=profile,
                folder=folder,
                weights=weights.get(stage.name, Found("none")),
                progress=functools.partial(progress, stage.name),
            )
            for stage in self.stages
        }

    def report(self, name: str) -> StageReport | None:
        """How a stage went, where it has been run."""
        return read_record(self._folder / f"{name}.json", StageReport)

    def run(self) -> list[StageReport]:
        """Do what is not done yet.

        Raises:
            KairosError: A stage failed; those that do not need it have been run all the same.
        """
        waiting = [
            stage(self._contexts[stage.name]) for stage in self.stages if not self._settled(stage)
        ]
        clock = Stopwatch()
        self._errors: dict[str, str] = {}
        ready = [stage for stage in waiting if not self._skip_reason(stage)]
        lookers = [stage for stage in ready if stage.frames_per_second() is not None]
        if lookers:
            self._look(lookers, clock)
        for stage in waiting:
            self._finish(stage, clock)
        reports = [r for stage in self.stages if (r := self.report(stage.name))]
        failed = [report for report in reports if report.state == "failed"]
        if failed:
            raise KairosError(
                f"{failed[0].name} failed: {failed[0].reason} (the other stages' results are kept; "
                "the same command tries this one again)"
            )
        return reports

    def _failed_need(self, stage: Stage) -> str:
        for need in stage.needs:
            report = self.report(need)
            if report is not None and report.state == "failed":
                return f"it needs {need}, which failed"
        return ""

    def _settled(self, stage: type[Stage]) -> bool:
        report = self.report(stage.name)
        return report is not None and report.state != "failed"

    def _skip_reason(self, stage: Stage) -> str:
        own = stage.skip()
        if own:
            return own
        weights = self._contexts[stage.name].weights
        return weights.missing if stage.needs_weights else ""

    def _look(self, lookers: list[Stage], clock: Stopwatch) -> None:
        """Decode the video once and hand each frame to whoever wants it."""
        due_s = {stage.name: 0.0 for stage in lookers}
        started = time.perf_counter()
        for frame in VideoFile(self._video).frames():
            for stage in lookers:
                rate = stage.frames_per_second() or 0.0
                if not math.isinf(rate):
                    if frame.time_s < due_s[stage.name]:
                        continue
                    due_s[stage.name] = (math.floor(frame.time_s * rate) + 1) / rate
                if stage.name in self._errors:
                    continue
                try:
                    with clock.part(stage.name):
                        stage.look(frame)
                except Exception as error:
                    self._errors[stage.name] = _one_line(stage, error)
            if frame.index % 250 == 0:
                total_s = max(self._facts.duration_s, frame.time_s)
                self._progress(FRAMES, round(frame.time_s), round(total_s))
        looked_s = sum(clock[stage.name] for stage in lookers)
        before = self.report(FRAMES)
        write_record(
            self._folder / f"{FRAMES}.json",
            StageReport(
                name=FRAMES,
                state="done",
                # A pass that was repeated after a failure cost its time twice.
                time_s=time.perf_counter() - started - looked_s + (before.time_s if before else 0),
            ),
        )

    def _finish(self, stage: Stage, clock: Stopwatch) -> None:
        state: Literal["done", "skipped", "failed"] = "done"
        count = 0
        reason = self._skip_reason(stage)
        if reason:
            state = "skipped"
        elif problem := self._errors.get(stage.name) or self._failed_need(stage):
            state, reason = "failed", problem
        else:
            self._progress(stage.name, 0, 1)
            try:
                with clock.part(stage.name):
                    journal = Journal(self._folder / f"{stage.name}.jsonl", stage.record)
                    count = journal.write_all(stage.run())
            except Exception as error:
                state, reason = "failed", _one_line(stage, error)
        write_record(
            self._folder / f"{stage.name}.json",
            StageReport(
                name=stage.name,
                state=state,
                reason=reason,
                time_s=clock[stage.name],
                records=count,
                weights=self._contexts[stage.name].weights.identity if stage.needs_weights else "",
            ),
        )


def _one_line(stage: Stage, error: Exception) -> str:
    """What went wrong, for the report; the whole of it goes to the notebook's output."""
    if isinstance(error, KairosError):
        return str(error)
    log.exception("stage %s failed", stage.name)
    return f"{type(error).__name__}: {error}".splitlines()[0]
