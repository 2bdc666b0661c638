"""A throw-away project to run base processing in, by the door that the notebook uses."""

from __future__ import annotations

import shutil
from pathlib import Path

from kairos_lib.analyzers.profile import Base
from kairos_lib.parameters.video import Video
from kairos_lib.pipeline.base_session import BaseSession
from kairos_lib.project import Project


class Workshop:
    """One project that is cleared before each run, so that nothing is taken from a cache.

    Hashes of files stay known, as they do in a real project.
    """

    def __init__(self, root: Path) -> None:
        here = Project.find()
        self.project = Project(root)
        shutil.copytree(here.notebooks, self.project.notebooks)
        self.project.runs.mkdir(parents=True)

    def clear(self) -> None:
        """Forget all results, transcripts that were paid for included."""
        for folder in self.project.runs.iterdir():
            if folder.is_dir():
                shutil.rmtree(folder)

    def process(self, video: Path, profile: Base) -> BaseSession:
        """Process a video with a profile."""
        found = Video(name="benchmark", path=video.absolute(), title="Benchmark")
        session = BaseSession(self.project, found, profile)
        session.process()
        return session
