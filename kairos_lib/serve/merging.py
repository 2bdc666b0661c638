"""A job's results: which there are, which are left to make, and all of them together.

Knows nothing of queues. Loads no model: what is asked of it is answered from files.
"""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime
from pathlib import Path

from kairos_lib.analyzers.analyzer import order
from kairos_lib.analyzers.profile import Base
from kairos_lib.errors import KairosError, closest
from kairos_lib.parameters.loading import load
from kairos_lib.parameters.service import Service
from kairos_lib.pipeline.base_session import BaseSession
from kairos_lib.pipeline.records import BaseResult
from kairos_lib.project import Project
from kairos_lib.runs.run import Run
from kairos_lib.serve.contract import RESULTS, JobData
from kairos_lib.serve.result_file import write_result
from kairos_lib.serve.videos import video_of
from kairos_lib.serve.work_plan import Part, part_of, parts, profile_of


def model_of(service: Service, wanted: str | None) -> str:
    """The model of a job; empty for none.

    Raises:
        KairosError: No group has it.
    """
    name = service.model if wanted is None else wanted
    if name and not service.group_with(name):
        raise KairosError(
            f"no group of this service has the model '{name}': "
            f"{closest(name, service.models, list_known=True)}"
        )
    return name


class Merging:
    """The results of one job.

    Args:
        project: The checkout.
        service: Its parameters.
        data: The job's.

    Raises:
        KairosError: The job cannot be done: its video, its model or one of its analyzers is not to
            be had.
    """

    def __init__(self, project: Project, service: Service, data: JobData) -> None:
        self._project = project
        self.model = model_of(service, data.model)
        """Name of the model; empty for none."""
        video = video_of(project, service, data.video_path, data.title)
        self.profile = profile_of(service, load(project, Base, service.base), data.analyzers)
        self.analyzers = [stage.name for stage in order(self.profile.stages)]
        self.parts = parts(service, self.profile)
        self._session = BaseSession(project, video, self.profile)
        self.run: Run = self._session.run
        """The base run of the whole."""

    def stages_of(self, part: Part) -> tuple[str, ...]:
        """The stages of a part's own base run."""
        return part_of(self.profile, part.analyzers).stages

    def unfinished(self) -> list[str]:
        """Analyzers whose results no run of the video has."""
        known = self.run.result(BaseResult)
        return [] if known is not None and not known.missing else self._session.unfinished()

    def merged(self, vlm: Path | None) -> tuple[Path, BaseResult]:
        """Put all together, once nothing is unfinished.

        Args:
            vlm: Folder of the model's run, if there is one.

        Returns:
            The result file, and the result of the base run.

        Raises:
            KairosError: Something of it cannot be read or written.
        """
        result = self.run.result(BaseResult)
        if result is None or result.missing:
            result = self._session.complete()
        return write_result(self._project, self.run.folder, result, vlm), result

    def set_aside(self) -> None:
        """Set aside what earlier runs have made of the video, so that all of it is made again.

        Raises:
            KairosError: Another process uses it.
        """
        name = self._session.video.name
        folders = [
            *(self._project.runs / "base" / name).glob("*/key.json"),
            *(self._project.runs / "vlm").glob(f"*/{name}/*/r001/key.json"),
        ]
        sha256 = self._session.facts.sha256
        stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S%f")
        for path in folders:
            if "superseded" not in str(path.parent):
                Run(path.parent, {}).set_aside()
        for path in (self._project.runs / RESULTS).glob("*.json"):
            with contextlib.suppress(FileNotFoundError):
                if sha256 in path.read_text(encoding="utf-8")[:4096]:
                    path.rename(path.with_suffix(f".superseded-{stamp}"))
