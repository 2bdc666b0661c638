"""Base processing of one video: what `base.ipynb` calls, and what a plan asks about it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from kairos_lib.errors import KairosError
from kairos_lib.measure.provenance import key_versions, provenance
from kairos_lib.media.container import check_file
from kairos_lib.media.video import probe
from kairos_lib.project import Project
from kairos_lib.records import BaseResult, Scene, VideoFacts
from kairos_lib.runs import (
    FileHashes,
    Journal,
    Run,
    notebook_hash,
    read_record,
    write_json,
    write_record,
)
from kairos_lib.settings import Base, Video, load
from kairos_lib.settings import video as find_video
from kairos_lib.stages.graph import FRAMES, Graph, order
from kairos_lib.weights import Found, find

if TYPE_CHECKING:
    import pandas as pd

NOTEBOOK = "base.ipynb"


def base_weights(project: Project, profile: Base) -> dict[str, Found]:
    """The weights of each stage of a profile that uses any."""
    return {
        stage.name: find(project, stage.weights(profile))
        for stage in order(profile.stages)
        if stage.needs_weights
    }


def base_run(project: Project, video: Video, profile: Base) -> Run:
    """The run of a video's base processing: its folder and what its key is made of.

    Raises:
        KairosError: The video is not there or is not a file with something in it.
    """
    check_file(video.path, repr(project.relative(video.path)))
    facts = ("name", "title", "timeout_s")
    ingredients = {
        "video_sha256": FileHashes(project.runs).sha256(video.path),
        "parameters": profile.model_dump(mode="json", exclude=set(facts)),
        "stages": {stage.name: stage.version for stage in order(profile.stages)},
        "weights": {name: w.identity for name, w in base_weights(project, profile).items()},
        "notebook": notebook_hash(project.notebooks / NOTEBOOK),
        "versions": key_versions(),
    }
    run = Run(Path(), ingredients)
    return Run(project.runs / "base" / video.name / run.key, ingredients)


def video_facts(project: Project, video: Video) -> VideoFacts:
    """What a video is, remembered so that a plan need not open it again."""
    sha256 = FileHashes(project.runs).sha256(video.path)
    path = project.runs / "videos" / f"{sha256[:16]}.json"
    known = read_record(path, VideoFacts)
    if known is None:
        known = probe(video.path, sha256)
        write_record(path, known)
    return known


class BaseSession:
    """One sitting at a video's base processing."""

    def __init__(self, project: Project, video: Video, profile: Base) -> None:
        self.project = project
        self.video = video
        self.profile = profile
        self.run = base_run(project, video, profile)
        self.facts = video_facts(project, video)
        self._graph = Graph(
            video=video.path,
            facts=self.facts,
            profile=profile,
            folder=self.run.folder,
            weights=base_weights(project, profile),
            progress=self.run.progress,
        )

    @classmethod
    def open(cls, video: str, base: str) -> BaseSession:
        """Open by the names that a notebook's parameters give."""
        project = Project.find()
        return cls(project, find_video(project, video), load(project, Base, base))

    def overview(self) -> pd.DataFrame:
        """What is about to be worked on."""
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

    def process(self) -> pd.DataFrame:
        """Run the stages that are not done, and write the result."""
        with self.run.writing():
            resumed = any(self._graph.report(stage.name) for stage in self._graph.stages)
            known = self.run.result(BaseResult)
            reports = self._graph.run()
            scenes = list(Journal(self.run.file("scenes.jsonl"), Scene))
            frames = self._graph.report(FRAMES)
            if frames is None:
                raise KairosError(f"{self.run.folder} lost its frames.json: run again with FRESH=1")
            if known is None:
                known = BaseResult(
                    key=self.run.key,
                    video=self.video.name,
                    title=self.video.title,
                    # The container's word on the length can be off; the last frame's cannot.
                    facts=self.facts.model_copy(update={"duration_s": scenes[-1].end_s}),
                    profile=self.profile.name,
                    scenes=len(scenes),
                    stages=tuple(reports),
                    decode_s=frames.time_s,
                    total_s=frames.time_s + sum(report.time_s for report in reports),
                    resumed=resumed,
                )
                write_json(self.run.file("provenance.json"), provenance(self.project))
                write_record(self.run.file("result.json"), known)
        return self.stages()

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
                {"scene": s.index, "start (s)": round(s.start_s, 2), "end (s)": round(s.end_s, 2)}
                for s in Journal(self.run.file("scenes.jsonl"), Scene)
            ]
        )
