"""What really happens in a video: kept beside the runs, so that a report can be made from them.

No run's key holds it: a corrected ground truth makes a new report and runs no model again.
"""

from __future__ import annotations

import hashlib

from kairos_lib.errors import KairosError
from kairos_lib.events.records import Event
from kairos_lib.parameters.video import Video
from kairos_lib.project import Project
from kairos_lib.runs.files import read_record, write_record
from kairos_lib.runs.record import Record
from kairos_lib.runs.run import KEY_HEX_DIGITS

FOLDER = "truth"
"""Under `runs/`."""


class Truth(Record):
    """The events of a video; a file of `runs/truth/`."""

    source: str
    """The file they were copied from, as the parameters name it."""
    events: tuple[Event, ...]


def keep(project: Project, video: Video) -> str:
    """Keep a copy of what happens in a video, in a file named by its content.

    Returns:
        The file, relative to the project; empty where the video's parameters name none.

    Raises:
        KairosError: The named file is not there, or something in it is wrong.
    """
    if video.events is None:
        return ""
    shown = project.relative(video.events)
    if not video.events.is_file():
        raise KairosError(f"{shown}: there is no such file (events of video {video.name})")
    from kairos_lib.events.formats import read_events

    truth = Truth(source=shown, events=read_events(video.events))
    digits = hashlib.sha256(truth.written()).hexdigest()[:KEY_HEX_DIGITS]
    path = project.runs / FOLDER / f"{video.name}-{digits}.json"
    if not path.is_file():
        write_record(path, truth)
    return project.relative(path)


def read_truth(project: Project, kept: str) -> tuple[Event, ...] | None:
    """The events that were kept; none where nothing is known of a video.

    Raises:
        KairosError: The file was changed by hand.
    """
    if not kept:
        return None
    found = read_record(project.root / kept, Truth)
    return found.events if found is not None else None
