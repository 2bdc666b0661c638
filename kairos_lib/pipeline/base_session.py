"""Base processing of one video: used by `base.ipynb`, and by a plan that asks about it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kairos_lib.analyzers.analyzer import find as find_stage
from kairos_lib.analyzers.analyzer import names, order
from kairos_lib.analyzers.audio import AudioTrack
from kairos_lib.analyzers.profile import Base
from kairos_lib.errors import KairosError
from kairos_lib.measure import threads
from kairos_lib.measure.memory import share_arenas
from kairos_lib.measure.provenance import provenance
from kairos_lib.media.container import check_file
from kairos_lib.media.facts import VideoFacts
from kairos_lib.media.problems import problems
from kairos_lib.media.scene import Scene
from kairos_lib.media.video import PROBE_VERSION, probe
from kairos_lib.parameters.loading import load
from kairos_lib.parameters.loading import video as find_video
from kairos_lib.parameters.video import Video
from kairos_lib.pipeline.base_data import write_base_data
from kairos_lib.pipeline.cache import stage_keys
from kairos_lib.pipeline.graph import FRAMES, Graph
from kairos_lib.pipeline.pool import Pool
from kairos_lib.pipeline.records import BaseResult, PassReport, StageReport
from kairos_lib.pipeline.stage_reports import require
from kairos_lib.project import Project
from kairos_lib.runs.file_hashes import FileHashes
from kairos_lib.runs.files import read_record, write_json, write_record
from kairos_lib.runs.journal import Journal
from kairos_lib.runs.notebook_code import notebook_hash
from kairos_lib.runs.run import LOCK_WAIT_S, Run, as_planned
from kairos_lib.weights.location import Found, find

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

NOTEBOOK = "base.ipynb"
TRANSCRIPTS = "transcripts"
"""Folder under `runs/` for paid transcripts."""
NOT_IN_KEY = {"name", "title", "timeout_s", "device_memory_mib"}


def base_weights(project: Project, profile: Base) -> dict[str, Found]:
    """The weights of each stage of a profile that uses any."""
    return {
        stage.name: find(project, stage.weights(profile))
        for stage in order(profile.stages)
        if stage.uses_weights(profile)
    }


def lacking(project: Project, profile: Base) -> str:
    """Which stages of a profile are skipped as their weights are missing, and how to get these."""
    absent = [name for name, found in base_weights(project, profile).items() if not found.path]
    if not absent:
        return ""
    remedies = dict.fromkeys(find_stage(name).remedy(profile) for name in absent)
    return f"{', '.join(absent)}, whose weights are not here: {'; '.join(remedies)}"


def missing_keys(profile: Base, facts: VideoFacts, folder: Path, fresh: bool) -> list[str]:
    """Environment variables that a video's base run needs and that are not set.

    Args:
        profile: The profile to run.
        facts: Facts about the video.
        folder: The run's folder, to check what is done already.
        fresh: Whether stages that are done are run again.
    """
    wanted = (
        key
        for stage in order(profile.stages)
        for key in stage.keys(profile, facts)
        if fresh or not _is_done(folder / f"{stage.name}.json")
    )
    return [key for key in wanted if not os.environ.get(key, "").strip()]


def _is_done(path: Path) -> bool:
    try:
        report = read_record(path, StageReport)
    except KairosError:
        return False  # Changed by hand: it is run again.
    return report is not None and report.state == "done"


def base_run(project: Project, video: Video, profile: Base) -> Run:
    """The run of a video's base processing: its folder and what its key is made of.

    Raises:
        KairosError: The video is missing or is an empty file.
    """
    check_file(video.path, repr(project.relative(video.path)))
    sha256 = FileHashes(project.runs).sha256(video.path)
    weights = base_weights(project, profile)
    key_inputs = {
        "video_sha256": sha256,
        "parameters": profile.model_dump(mode="json", exclude=_not_in_key(profile)),
        "weights": {name: found.identity for name, found in weights.items()},
        # These include each stage's version and those of the packages that it uses.
        "stages": stage_keys(profile, sha256, weights),
        "notebook": notebook_hash(project.notebooks / NOTEBOOK),
    }
    run = Run(Path(), key_inputs)
    return Run(project.runs / "base" / video.name / run.key, key_inputs)


def _not_in_key(profile: Base) -> dict[str, Any]:
    """Settings of a profile that do not affect its results."""
    of_stages = {stage.name: set(stage.not_in_key) for stage in order(profile.stages)}
    # Sections of analyzers that do not run: adding an analyzer changes no keys.
    idle = [name for name in names() if name not in of_stages]
    return {
        **dict.fromkeys([*NOT_IN_KEY, *idle], True), **{n: s for n, s in of_stages.items() if s}
    }  # fmt: skip


def video_facts(project: Project, video: Video) -> VideoFacts:
    """Facts about a video, cached so that a plan need not open it again."""
    sha256 = FileHashes(project.runs).sha256(video.path)
    path = project.runs / "videos" / f"{sha256[:16]}-{PROBE_VERSION}.json"
    known = read_record(path, VideoFacts)
    if known is None:
        known = probe(video.path, sha256)
        write_record(path, known)
    return known


class BaseSession:
    """One session of base processing of a video."""

    def __init__(
        self,
        project: Project,
        video: Video,
        profile: Base,
        pool: Pool | None = None,
        watch: Callable[[str, int, int], None] | None = None,
    ) -> None:
        self.project = project
        self.video = video
        self.profile = profile
        self.run = as_planned(base_run(project, video, profile))
        self.facts = video_facts(project, video)
        self._graph = Graph(
            video=video.path,
            facts=self.facts,
            profile=profile,
            folder=self.run.folder,
            weights=base_weights(project, profile),
            transcripts=project.runs / TRANSCRIPTS,
            progress=self.run.progress,
            pool=pool,
            watch=watch,
        )

    @classmethod
    def open(cls, video: str, base: str, pool: Pool | None = None) -> BaseSession:
        """Open by the names in a notebook's parameters.

        Args:
            video: A file of `parameters/videos`, or the path of any video.
            base: A file of `parameters/base`.
            pool: For models that are kept beyond this video; by default the session has its own.
        """
        threads.settle()  # A kernel opened by hand has no settings yet.
        project = Project.find()
        return cls(project, find_video(project, video), load(project, Base, base), pool)

    def overview(self) -> pd.DataFrame:
        """The work about to be done."""
        import pandas as pd

        facts = self.facts
        rows = {
            "video": self.video.title,
            "file": self.project.relative(self.video.path),
            "length": f"{facts.duration_s:.1f} s",
            "picture": f"{facts.width}×{facts.height}, {facts.frames_per_second:.2f} fps, "
            f"{facts.codec}",
            "audio streams": facts.audio_streams,
            "profile": self.profile.title,
            "run folder": self.project.relative(self.run.folder),
        }
        return pd.DataFrame({"": rows})

    def unfinished(self) -> list[str]:
        """The stages that there is work for: no run of the video has their results."""
        return self._graph.unfinished()

    def process(self, wait_s: float = LOCK_WAIT_S) -> pd.DataFrame:
        """Run the stages that are not done, and write the result.

        Args:
            wait_s: How long to wait for another process that writes to the run.

        Raises:
            KairosError: A stage failed. The others' results are kept and the result says what is
                missing; the same command tries the failed one again.
        """
        require(self.complete(wait_s).stages)
        return self.stages()

    def complete(self, wait_s: float = LOCK_WAIT_S) -> BaseResult:
        """Run the stages that are not done, and write the result, which says what failed.

        Args:
            wait_s: How long to wait for another process that writes to the run.

        Raises:
            KairosError: Another process is writing to the run for longer than that.
        """
        share_arenas()
        with self.run.writing(wait_s):
            known = self.run.result(BaseResult)
            if known is None or known.missing:
                known = self._process()
        return known

    def _process(self) -> BaseResult:
        resumed = any(self._graph.reports.read(stage.name) for stage in self._graph.stages)
        started = time.perf_counter()
        reports = self._graph.run()
        total_s = time.perf_counter() - started
        frames = read_record(self.run.file(f"{FRAMES}.json"), PassReport) or PassReport(
            name=FRAMES, state="failed"
        )
        facts = self.facts
        last: Scene | None = None
        for scene in Journal(self.run.file("scenes.jsonl"), Scene):
            last = scene
        if last is not None:
            # The length in the container can be wrong; the last frame's end cannot.
            sound = sum(t.broken for t in Journal(self.run.file("audio.jsonl"), AudioTrack))
            wrong = problems(facts, last.end_s, frames.broken, sound)
            facts = facts.model_copy(update={"duration_s": last.end_s, "problems": wrong})
        result = BaseResult(
            key=self.run.key,
            video=self.video.name,
            title=self.video.title,
            facts=facts,
            profile=self.profile.name,
            scenes=last.number if last else 0,
            stages=tuple(reports),
            decode_s=frames.time_s,
            total_s=total_s,
            resources=self._graph.resources,
            resumed=resumed,
            synthetic_video=self.video.drawn,
        )
        write_json(self.run.file("provenance.json"), provenance(self.project))
        write_base_data(self.run.folder, result)
        write_record(self.run.file("result.json"), result)
        return result

    def stages(self) -> pd.DataFrame:
        """How each stage went."""
        import pandas as pd

        result = self.run.result(BaseResult)
        reports = result.stages if result else ()
        return pd.DataFrame(
            [
                {
                    "stage": report.name,
                    "state": report.state,
                    "records": report.records,
                    "time (s)": round(report.time_s, 2),
                    "note": report.reason,
                }
                for report in reports
            ]
        )

    def scenes(self) -> pd.DataFrame:
        """The scenes, one row each."""
        import pandas as pd

        return pd.DataFrame(
            [
                {"scene": s.number, "start (s)": round(s.start_s, 2), "end (s)": round(s.end_s, 2)}
                for s in Journal(self.run.file("scenes.jsonl"), Scene)
            ]
        )

    def timeline(self) -> Figure:
        """What every analyzer marks, over time; a matplotlib figure that can be changed.

        Raises:
            KairosError: The run has no result yet.
        """
        from kairos_lib.pipeline.lanes import lanes
        from kairos_lib.pipeline.timeline_figure import timeline_figure

        result = self.run.result(BaseResult)
        if result is None:
            raise KairosError("there is no result yet: run the stages first")
        drawn = list(lanes(self.run.folder, result))
        return timeline_figure(drawn, result.facts.duration_s, result.title)
