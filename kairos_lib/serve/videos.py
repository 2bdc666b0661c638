"""Which video a job means: only one of `parameters/videos`, or a file inside the service's folders.

Knows nothing of queues; the API asks before it accepts a job, the workers before they open a file.
"""

from __future__ import annotations

from pathlib import Path

from kairos_lib.errors import KairosError
from kairos_lib.ingest.addresses import checked
from kairos_lib.names import quoted
from kairos_lib.parameters import loading
from kairos_lib.parameters.service import Service
from kairos_lib.parameters.video import Video
from kairos_lib.project import Project

UPLOADS = "uploads"
"""Folder under `runs/service/` for what was uploaded or fetched; jobs may always name files in
it."""


def uploads(project: Project) -> Path:
    """The folder for uploaded and fetched videos."""
    return project.runs / "service" / UPLOADS


def folders(project: Project, service: Service) -> list[Path]:
    """The folders that a job's video may lie in, links resolved."""
    named = [(project.root / folder).resolve() for folder in service.folders]
    return [*named, uploads(project).resolve()]


def video_of(project: Project, service: Service, named: str, title: str = "") -> Video:
    """The video that a job names.

    Args:
        project: The checkout.
        service: Its folders.
        named: A file of `parameters/videos`, or a path, relative to the project.
        title: Its title, unless it is one of `parameters/videos`.

    Raises:
        KairosError: The path leads out of the service's folders, or there is no such file.
    """
    known = loading.names(project, Video)
    if named in known:
        return loading.video(project, named)
    if "\0" in named or "://" in named:
        raise KairosError(f"{quoted(named)} is not the path of a file")
    path = (project.root / named).resolve()  # Of a link, what it leads to counts.
    if not any(path.is_relative_to(folder) for folder in folders(project, service)):
        allowed = ", ".join(service.folders)
        raise KairosError(
            f"{quoted(named)} is not in a folder of this service ({allowed}): move the video there"
        )
    if not path.is_file():
        raise KairosError(f"there is no file {quoted(named)}")
    for name in known:
        if loading.video(project, name).path.resolve() == path:
            return loading.video(project, name)  # With what is known of it.
    video = loading.video(project, str(path))
    return video.model_copy(update={"title": title}) if title else video


def address_of(service: Service, url: str) -> str:
    """The address that a job names, as far as it can be checked before it is asked.

    Raises:
        KairosError: It is none, or none that this service fetches from.
    """
    if not service.ingest.hosts:
        raise KairosError(
            "this service fetches no addresses: give a videoPath, or name hosts under ingest: in "
            f"parameters/service/{service.name}.yaml"
        )
    return checked(url, service.ingest)
