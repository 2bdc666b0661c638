"""Films of given pictures, stored as they are given, and the findings of one analyzer in them."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from helpers.projects import write_parameters
from kairos_lib.analyzers.analyzer import find
from kairos_lib.pipeline.base_session import BaseSession
from kairos_lib.pipeline.scene_analysis import VideoFindings
from kairos_lib.project import Project
from kairos_lib.runs.journal import Journal

LOSSLESS = {"qp": "0", "preset": "ultrafast"}


def film_of(
    path: Path, pictures: Iterable[np.ndarray], fps: int = 4, ticks: Iterable[int] | None = None
) -> Path:
    """A film without loss, but for the colours' resolution and range.

    Args:
        path: Of the new file.
        pictures: RGB, shape (height, width, 3), uint8, of even sizes.
        fps: Pictures per second.
        ticks: Number of each picture, if some are shown longer than others.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(f"file:{path}", "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=fps, options=LOSSLESS)
        stream.pix_fmt = "yuv420p"
        numbers = iter(ticks) if ticks is not None else None
        for count, picture in enumerate(pictures):
            if not count:
                stream.height, stream.width = picture.shape[:2]
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
            frame.pts = next(numbers) if numbers is not None else count
            frame.time_base = Fraction(1, fps)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def session_of(project: Project, video: Path, name: str, **settings: object) -> BaseSession:
    """A finished session with one analyzer."""
    profile: dict[str, object] = {"title": "Looks", "stages": [name]}
    write_parameters(project, "base", "looks", profile | ({name: settings} if settings else {}))
    session = BaseSession.open(str(video), "looks")
    session.process()
    return session


def found_in(project: Project, video: Path, name: str, **settings: object) -> list[Any]:
    """The records of one analyzer."""
    session = session_of(project, video, name, **settings)
    return list(Journal(session.run.file(f"{name}.jsonl"), find(name).record))


def by_scene(session: BaseSession, name: str) -> list[list[Any]]:
    """The records of one analyzer, scene by scene."""
    return [list(found.of(name)) for found in VideoFindings(session.run.folder)]
