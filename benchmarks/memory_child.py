"""What the memory benchmark watches: `python -m benchmarks.memory_child STEP VIDEO PROJECT`."""

from __future__ import annotations

import sys
from pathlib import Path

from kairos_lib.analyzers.profile import Base
from kairos_lib.parameters.loading import load
from kairos_lib.parameters.model import Prompt
from kairos_lib.parameters.video import Video
from kairos_lib.pipeline.base_session import BaseSession
from kairos_lib.project import Project
from kairos_lib.runs.files import write_record
from kairos_lib.runs.manifest import Manifest, PlannedBase


def main(step: str, video: Path, root: Path) -> None:
    """Process a video, or read what processing it has found."""
    profile = load(Project.find(), Base, "nano")
    found = Video(name="benchmark", path=video, title="Benchmark")
    session = BaseSession(Project(root), found, profile)
    if step == "process":
        session.process()
    else:
        sys.stdout.write(f"{_read(session)}\n")


def _read(session: BaseSession) -> int:
    """Read the results as captioning and a report do; the number of scenes."""
    from kairos_lib.pipeline.base_data import BASE_DATA, read_base_data
    from kairos_lib.pipeline.scene_analysis import VideoFindings
    from kairos_lib.report.sections.gallery import Gallery
    from kairos_lib.results import suite
    from kairos_lib.vlm.context import prompt_of

    prompt = Prompt(instruction="Describe the scene.")
    count = 0
    for found in VideoFindings(session.run.folder):
        prompt_of(found, prompt)
        count += 1
    if sum(1 for _ in read_base_data(session.run.file(BASE_DATA))) != count:
        raise SystemExit(f"{BASE_DATA} holds another number of scenes than there are")
    project = session.project
    planned = PlannedBase(
        video=session.video.name,
        title=session.video.title,
        folder=project.relative(session.run.folder),
    )
    plan = Manifest(name="memory", title="Memory", repeats=1, steps=(planned,))
    write_record(project.runs / "suites" / "memory.json", plan)
    gallery = Gallery(suite.read(project, "memory"), project.root)
    shown = (video for page in gallery.pages for video in gallery.videos(page))
    if sum(len(video.cards) for video in shown) != count:
        raise SystemExit("a report shows another number of scenes than there are")
    return count


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))
