"""The process that holds a group's models: loads them once, and analyzes one video after another.

Runs in a process of its own, which may die or be killed at any moment; knows nothing of Redis. What
it has to say meanwhile it sends as datagrams, each whole or not at all.
"""

from __future__ import annotations

import contextlib
import os
import socket
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from kairos_lib.analyzers.analyzer import find as find_stage
from kairos_lib.analyzers.profile import Base
from kairos_lib.errors import KairosError
from kairos_lib.measure.devices import usual_device
from kairos_lib.parameters.loading import load
from kairos_lib.parameters.model import Model
from kairos_lib.parameters.video import Video
from kairos_lib.pipeline.base_session import BaseSession, video_facts
from kairos_lib.pipeline.model_keys import warm as warm_up
from kairos_lib.pipeline.records import BaseResult, StageReport
from kairos_lib.project import Project
from kairos_lib.serve.contract import VLM, AnalyzerProgress, ChildData
from kairos_lib.serve.patient_pool import PatientPool, twice
from kairos_lib.serve.videos import video_of
from kairos_lib.serve.work_plan import profile_of
from kairos_lib.serve.work_records import Done, Setup, Stats, UnusableError
from kairos_lib.weights.location import find as find_weights

MIB = 2**20
LOCK_WAIT_S = 1800.0
"""How long to wait for a run that another process writes to."""
TELL_EVERY_S = 0.25


class Resident:
    """A group's models and the work done with them.

    Args:
        setup: Which group, of which service.
    """

    def __init__(self, setup: Setup) -> None:
        self._project = Project(setup.root)
        self._service = setup.service
        self._group = setup.service.groups[setup.group]
        self._base = load(self._project, Base, setup.service.base)
        self._pool = PatientPool(self._group.memory_mib)
        self._adapter: Any = None
        self._adapter_hits = 0
        self._ear = setup.ear
        self._mouth = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._mouth.setblocking(False)
        self._said: dict[str, float] = {}
        self._begun: set[str] = set()

    def warm(self, verify: bool) -> Stats:
        """Load all models of the group.

        Args:
            verify: Whether to hash the weights first, without trusting hashes known from before.

        Raises:
            KairosError: Weights are not what the parameters pin, or a model cannot be loaded.
        """
        profile = profile_of(self._service, self._base, None)
        kinds = [find_stage(name) for name in self._group.analyzers]
        wanted = {kind.name: kind.weights(profile) for kind in kinds if kind.uses_weights(profile)}
        with _hashing_anew(self._project) if verify else _as_known(self._project) as project:
            found = {name: find_weights(project, weights) for name, weights in wanted.items()}
        for name, one in found.items():
            if one.identity in ("wrong", "partial"):
                raise KairosError(f"weights of {name}: {one.missing}")
        warm_up(self._pool, kinds, profile, found, usual_device())
        if self._group.model:
            self._loaded_adapter(verify)
        return self.stats()

    def _model(self, name: str) -> Model:
        return load(self._project, Model, name)

    def _loaded_adapter(self, verify: bool = False) -> Any:
        from kairos_lib.vlm.opening import loaded, weights_here

        if self._adapter is not None:
            self._adapter_hits += 1
            return self._adapter
        model = self._model(self._group.model)
        with _hashing_anew(self._project) if verify else _as_known(self._project) as project:
            found = find_weights(project, model.weights)
        path = weights_here(self._project, model, found)
        self._adapter = twice(lambda: loaded(model, path)[0], self._pool.drop_idle)
        return self._adapter

    def stats(self) -> Stats:
        """What has been done so far, and what this process takes."""
        torch, vram = sys.modules.get("torch"), 0.0
        if torch is not None and torch.cuda.is_available() and torch.cuda.is_initialized():
            vram = torch.cuda.memory_reserved() / MIB
        return Stats(
            pid=os.getpid(),
            hits=self._pool.hits + self._adapter_hits,
            loads=self._pool.loads + (self._adapter is not None),
            evictions=self._pool.evictions,
            rss_mib=psutil.Process().memory_info().rss / MIB,
            vram_mib=vram,
        )

    def work(self, job: str, data: ChildData) -> Done:
        """Do a group's part of a job.

        Args:
            job: Its id, for what is said meanwhile.
            data: What to do.

        Raises:
            UnusableError: The video or the request cannot be used at all.
            KairosError: Something else is wrong.
        """
        self._said.clear()
        self._begun.clear()
        try:
            video = video_of(self._project, self._service, data.video_path, data.title)
            if data.prompt:
                return self._answered(video, data)
            profile = profile_of(self._service, self._base, data.analyzers)
            session = BaseSession(
                self._project, video, profile, self._pool, watch=self._teller(job)
            )
        except KairosError as error:
            raise UnusableError(str(error)) from error
        if data.model:
            return self._caption(job, session, data.model)
        result = session.complete(LOCK_WAIT_S)
        ended = {
            report.name: _ended(report, self._begun)
            for report in result.stages
            if report.name in self._group.analyzers
        }
        wrong = [report for report in result.stages if report.state == "failed"]
        return Done(
            folder=self._project.relative(session.run.folder),
            key=session.run.key,
            analyzers=ended,
            times_s={
                report.name: report.time_s
                for report in result.stages
                if report.name in self._begun and report.state == "done"
            },
            failed="; ".join(f"{report.name}: {report.reason}" for report in wrong),
        )

    def _answered(self, video: Video, data: ChildData) -> Done:
        """Answer a question about a video."""
        from kairos_lib.serve.answering import answered

        if data.model != self._group.model:
            raise UnusableError(f"this group has the model {self._group.model}, not {data.model}")
        facts = video_facts(self._project, video)
        model = self._model(data.model)
        answer = answered(self._loaded_adapter(), model, video.path, facts, data.prompt)
        return Done("", "", {}, {}, answer=answer)

    def _caption(self, job: str, base: BaseSession, name: str) -> Done:
        """Caption all scenes, on the base run of the whole profile."""
        from kairos_lib.vlm.vlm_session import VlmSession

        if name != self._group.model:
            raise UnusableError(f"this group has the model {self._group.model}, not {name}")
        _take_over(base)
        tell = self._teller(job)
        started = time.perf_counter()
        session = VlmSession(
            self._project,
            base.video,
            base.profile,
            self._model(name),
            repeat=1,
            wait_s=LOCK_WAIT_S,
            watch=lambda step, done, total: tell(VLM, done, total),
        )
        try:
            known = session.result is not None
            if not known:
                tell(VLM, 0, 0)
                session.load(self._loaded_adapter())
                session.captioning.single_stream()
                session.captioning.offline()
                session.finish()
            result = session.result
            assert result is not None
        finally:
            session.close()
        scenes = result.scenes
        state = AnalyzerProgress(state="reused" if known else "done", done=scenes, total=scenes)
        return Done(
            folder=self._project.relative(session.run.folder),
            key=session.run.key,
            analyzers={VLM: state},
            times_s={} if known else {VLM: time.perf_counter() - started},
        )

    def _teller(self, job: str) -> Callable[[str, int, int], None]:
        """Says how far an analyzer is, a few times a second; what nobody hears is lost."""

        def tell(name: str, done: int, total: int) -> None:
            now = time.monotonic()
            self._begun.add(name)
            if total and now - self._said.get(name, 0.0) < TELL_EVERY_S:
                return
            self._said[name] = now
            told = AnalyzerProgress(state="running", done=min(done, total), total=total)
            line = f"{job}\n{name}\n{told.model_dump_json()}".encode()
            with contextlib.suppress(OSError):
                self._mouth.sendto(line, self._ear)

        return tell


def _take_over(base: BaseSession) -> BaseResult:
    """The whole base run, of which every part has been done.

    Raises:
        KairosError: Results of a part are gone, or it failed.
    """
    if (known := base.run.result(BaseResult)) is None or known.missing:
        if lost := base.unfinished():
            raise KairosError(
                f"results of {', '.join(lost)} are gone since they were made: submit the video "
                "again"
            )
        known = base.complete(LOCK_WAIT_S)
    return known


def _ended(report: StageReport, began: set[str]) -> AnalyzerProgress:
    if report.state == "failed":
        return AnalyzerProgress(state="failed", reason=report.reason)
    if report.state == "skipped":
        return AnalyzerProgress(state="skipped", reason=report.reason)
    return AnalyzerProgress(state="done" if report.name in began else "reused", done=1, total=1)


@contextlib.contextmanager
def _as_known(project: Project) -> Any:
    yield project


@contextlib.contextmanager
def _hashing_anew(project: Project) -> Any:
    """The project, with no hashes known from before."""
    with tempfile.TemporaryDirectory(prefix="kairos-") as folder:
        yield _Unremembering(project.root, Path(folder))


@dataclass(frozen=True)
class _Unremembering(Project):
    elsewhere: Path

    @property
    def runs(self) -> Path:
        """Where nothing is remembered."""
        return self.elsewhere
