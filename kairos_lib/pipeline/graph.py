"""Runs the stages of a profile: each as soon as its needs are done, many at once.

The video is decoded once, for all stages that read frames, while those that only listen are already
running. A stage that is done is not run again; one that fails does not lose the others' work.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any, TypeVar

from kairos_lib.analyzers.analyzer import Context, Stage, order, scene_of, scenes_of
from kairos_lib.analyzers.profile import Base
from kairos_lib.errors import KairosError, no_room
from kairos_lib.measure.devices import usual_device
from kairos_lib.measure.provenance import gpus
from kairos_lib.measure.resources import Sampler
from kairos_lib.measure.usage import Resources
from kairos_lib.media.facts import VideoFacts
from kairos_lib.media.passes import FramePass
from kairos_lib.pipeline.budget import MemoryBudget
from kairos_lib.pipeline.cache import finished, stage_keys, take_over
from kairos_lib.pipeline.model_keys import model_key
from kairos_lib.pipeline.pool import Pool
from kairos_lib.pipeline.progress import Board
from kairos_lib.pipeline.records import PassReport, StageReport
from kairos_lib.pipeline.stage_reports import RESOURCES, StageReports, State, Work
from kairos_lib.runs.files import write_record
from kairos_lib.runs.journal import Journal
from kairos_lib.runs.record import Record
from kairos_lib.weights.location import Found

FRAMES = "frames"
"""The shared decoding pass, as reported beside the stages."""
log = logging.getLogger(__name__)
R = TypeVar("R", bound=Record)


class _InterruptedError(Exception):
    """The graph was interrupted: a stage's thread ends at its next record."""


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
        transcripts: Path | None = None,
        pool: Pool | None = None,
        device: str = "",
        watch: Callable[[str, int, int], None] | None = None,
    ) -> None:
        self._video = video
        self._facts = facts
        self._profile = profile
        self._folder = folder
        self._weights = weights
        self.stages = order(profile.stages)
        self._keys = stage_keys(profile, facts.sha256, weights)
        self._board = Board([stage.name for stage in self.stages], progress, watch)
        self._contexts = {
            stage.name: Context(
                video=video,
                facts=facts,
                profile=profile,
                folder=folder,
                weights=weights.get(stage.name, Found("none")),
                transcripts=transcripts or folder / "transcripts",
                progress=self._board.teller(stage.name),
            )
            for stage in self.stages
        }
        self._budget = MemoryBudget(profile.device_memory_mib)
        self.pool = pool or Pool(profile.device_memory_mib)
        """Memory of the loaded models."""
        self._device = device or usual_device()
        self.reports = StageReports(folder, profile, self._keys, weights)
        self._preparing = threading.Lock()
        self._cut_short = threading.Event()
        self._works: dict[str, Work] = {}
        self._lost: list[BaseException] = []
        self.resources: Resources | None = None
        """Resources of the kernel in this part of the run; None if there was nothing to run."""

    def run(self) -> list[StageReport]:
        """Run what is not done yet.

        Returns:
            How each stage went, in the order of their needs; some may have failed.
        """
        self._began = time.perf_counter()
        began = time.monotonic()
        frames = FramePass(self._video, self._facts.joints)
        for kind in self.stages:
            key = self._keys[kind.name]
            if self._settled(kind) or take_over(self._folder, kind, key):
                self._board.end(kind.name)
            else:
                self._works[kind.name] = self._work(kind, frames)
        sampler = Sampler(self._folder / RESOURCES)
        if self._works:
            sampler.start()
        threads = [
            threading.Thread(target=self._carry_out, args=(work,), daemon=True)
            for work in self._works.values()
        ]
        try:
            for thread in threads:
                thread.start()
            if any(work.feed for work in self._works.values()):
                self._decode(frames)
            for thread in threads:
                thread.join()
        except BaseException:
            self._cut_short.set()
            frames.close()
            raise
        finally:
            taken = sampler.stop()
        self.resources = taken if self._works else None
        if self._lost:
            raise self._lost[0]
        self.reports.add_resources(self._works.values(), began)
        return [report for stage in self.stages if (report := self.reports.read(stage.name))]

    def unfinished(self) -> list[str]:
        """The stages that there is work for: neither done here nor in another run of the video."""
        return [
            kind.name
            for kind in self.stages
            if not self._settled(kind)
            and finished(self._folder, kind, self._keys[kind.name]) is None
            and not self._skip_reason(kind(self._contexts[kind.name]))
        ]

    def _settled(self, stage: type[Stage]) -> bool:
        report = self.reports.read(stage.name)
        return report is not None and report.state in ("done", "skipped")

    def _work(self, kind: type[Stage], frames: FramePass) -> Work:
        stage = kind(self._contexts[kind.name])
        rate = None if self._skip_reason(stage) else stage.frames_per_second()
        feed = None if rate is None else frames.feed(rate)
        if feed is not None:
            stage.frames = feed
        return Work(stage, feed)

    def _skip_reason(self, stage: Stage) -> str:
        if own := stage.skip():
            return own
        weights = self._contexts[stage.name].weights
        return weights.missing if stage.uses_weights(self._profile) else ""

    def _decode(self, frames: FramePass) -> None:
        """Run the decoding pass; errors are reported by the stages that use it."""
        started = time.perf_counter()
        frames.run()
        report = PassReport(
            name=FRAMES,
            state="done",
            broken=frames.video.broken,
            time_s=time.perf_counter() - started,
            began_s=started - self._began,
            ended_s=time.perf_counter() - self._began,
        )
        try:
            write_record(self._folder / f"{FRAMES}.json", report)
        except Exception as error:  # Raised once the stages have ended.
            self._lost.append(error)

    def _carry_out(self, work: Work) -> None:
        """Run one stage from its needs to its report, in its own thread."""
        stage = work.stage
        try:
            state, reason = self._attempt(work)
            work.ended_s = time.perf_counter() - self._began
            self.reports.write(work, state, reason)
            work.outcome = state
        except BaseException as error:  # The report itself cannot be written: the disk is full.
            self._lost.append(error)
        finally:
            # Before anything else that can fail: others wait for it.
            work.settled.set()
            if work.feed is not None:
                work.feed.close()
        try:
            self._board.end(stage.name)
        except Exception as error:
            self._lost.append(error)

    def _attempt(self, work: Work) -> tuple[State, str]:
        stage = work.stage
        try:
            if reason := self._skip_reason(stage):
                return "skipped", reason
            if reason := self._failed(stage.needs):
                return "failed", reason
            self._work_on(work)
        except _InterruptedError:
            return "running", ""
        except Exception as error:
            return "failed", _one_line(stage, error)
        return "done", ""

    def _failed(self, needs: tuple[str, ...]) -> str:
        """Wait for other stages; returns why one of them cannot be built on, if so."""
        for need in needs:
            if need not in self._works:
                continue  # It was done before.
            self._works[need].settled.wait()
            if self._cut_short.is_set():
                raise _InterruptedError
            if self._works[need].outcome not in ("done", "skipped"):
                return f"it needs {need}, which failed"
        return ""

    def _work_on(self, work: Work) -> None:
        stage = work.stage
        results = self._folder / f"{stage.name}.jsonl"
        # Records that wait for their scenes are kept in a file, not in memory.
        raw = results.with_suffix(".unplaced") if stage.placed else results
        claim = self._budget.held(self._claim_mib(stage)) if stage.device == "gpu" else None
        with claim or nullcontext():
            work.began_s = time.perf_counter() - self._began
            self.reports.write(work, "running")
            with self._model(work) as stage.model:
                with self._preparing, _timed(work):
                    stage.prepare()
                self._board.begin(stage.name)
                started = time.perf_counter()
                records = self._until_cut_short(stage.run())
                work.records = Journal(raw, stage.record).write_all(records)
            waited_s = work.feed.waited_s if work.feed else 0.0
            work.time_s = time.perf_counter() - started - waited_s
        if stage.placed:
            if reason := self._failed(("scenes",)):
                raise KairosError(reason)
            started = time.perf_counter()
            Journal(results, stage.record).write_all(
                self._placed(stage, Journal(raw, stage.record))
            )
            raw.unlink()
            work.time_s += time.perf_counter() - started

    @contextmanager
    def _model(self, work: Work) -> Iterator[Any]:
        """A stage's model, loaded now or before; None for a stage without one."""
        stage = work.stage
        found = self._contexts[stage.name].weights
        if found.path is None or not stage.uses_weights(self._profile):
            yield None
            return
        path, settings = found.path, getattr(self._profile, stage.name)
        key = model_key(type(stage), self._profile, found, self._device)

        def load() -> Any:
            # Libraries are imported by one thread at a time.
            with self._preparing, _timed(work):
                return stage.load(settings, path, self._device)

        with self.pool.using(key, stage.memory_mib, load) as model:
            # What fitted the last video is where this one begins.
            stage.batch_size = self.pool.fitting.get(key)
            try:
                yield model
            finally:
                if stage.batch_size is not None:
                    self.pool.fitting[key] = stage.batch_size
                # The pool alone decides how long it is kept.
                stage.release()

    def _claim_mib(self, stage: Stage) -> int:
        # Without a GPU all models need the same few cores: they take turns.
        return stage.memory_mib if gpus() else self._budget.total_mib

    def _until_cut_short(self, records: Iterator[R]) -> Iterator[R]:
        for record in records:
            if self._cut_short.is_set():
                raise _InterruptedError
            yield record

    def _placed(self, stage: Stage, records: Journal[Record]) -> Iterator[Record]:
        """Assign each record to its scene, or to each of its scenes."""
        scenes = self._contexts["scenes"].scenes()
        for record in records:
            moment = getattr(record, "time_s", None)
            start_s = getattr(record, "start_s", moment)
            end_s = getattr(record, "end_s", moment)
            assert start_s is not None
            if start_s >= scenes[-1].end_s:
                continue  # Audio can continue after the last picture; no scene has it.
            if stage.in_each_scene:
                assert end_s is not None
                indices = [scene.index for scene in scenes_of(scenes, start_s, end_s)]
            else:
                indices = [scene_of(scenes, start_s, end_s)]
            for index in indices:
                yield record.model_copy(update={"scene": index})


@contextmanager
def _timed(work: Work) -> Iterator[None]:
    """Count a block as loading."""
    started = time.perf_counter()
    try:
        yield
    finally:
        work.load_s += time.perf_counter() - started


def _one_line(stage: Stage, error: Exception) -> str:
    """One line about an error, for the report; the traceback goes to the notebook's output."""
    if isinstance(error, KairosError):
        return str(error)
    if full := no_room(error):
        return full
    log.error("stage %s failed", stage.name, exc_info=error)
    return next(iter(f"{type(error).__name__}: {error}".splitlines()))
