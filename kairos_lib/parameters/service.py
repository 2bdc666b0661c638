"""What a file of `parameters/service` may say: which analyzers and models share a process.

The same file is read by the API, the coordinator, and every machine's workers.
"""

from __future__ import annotations

import re
from pathlib import PurePath
from typing import Annotated, ClassVar

from pydantic import Field, field_validator, model_validator

from kairos_lib.parameters.ingest import IngestLimits
from kairos_lib.parameters.settings import NAME, ParameterFile, Settings

GROUP = r"[a-z0-9][a-z0-9-]{0,39}"
"""Valid names of groups: they become queues."""
ANALYZERS_AT_MOST = 100
Name = Annotated[str, Field(pattern=f"^{NAME}$", max_length=100)]


class Group(Settings):
    """Analyzers that share a process, or a model alone in one; its workers take jobs from a queue.

    Either `analyzers` or `model` is given.
    """

    analyzers: Annotated[tuple[Name, ...], Field(max_length=ANALYZERS_AT_MOST)] = ()
    model: Annotated[str, Field(pattern=f"^({NAME})?$", max_length=100)] = ""
    """Parameter file of a vision-language model."""
    processes: int = Field(1, ge=1, le=128)
    """How many processes of it a machine has; each takes one video at a time."""
    device: str = "cpu"
    """`cpu`, or one GPU: `cuda` (the first) or `cuda:1`. Its processes see no other."""
    memory_mib: int = Field(8000, ge=1)
    """Device memory of one process: what its models may claim, and on a GPU what torch may
    allocate."""
    memory_limit_mib: int | None = Field(None, ge=100)
    """Resident memory beyond which a process ends its job and is replaced; `null` for none."""
    threads: int | None = Field(None, ge=1, le=1024)
    """Computing threads of a process; `null` for as many as a notebook has, so that captions made
    on a CPU count as the notebook's own."""
    batch_sizes: dict[Name, Annotated[int, Field(ge=1, le=4096)]] = Field(default_factory=dict)
    """Batch sizes that take the place of the base profile's, by analyzer. Results of other batch
    sizes are results of their own, which notebooks do not share."""
    allocator: str = Field("", max_length=500)
    """torch's PYTORCH_ALLOC_CONF on a GPU, such as `expandable_segments:True`."""

    @field_validator("device")
    @classmethod
    def _is_one_device(cls, device: str) -> str:
        if not re.fullmatch(r"cpu|cuda(:[0-9]{1,3})?", device):
            raise ValueError(f"must be cpu, cuda or cuda:N, not {device!r}")
        return device

    @model_validator(mode="after")
    def _does_one_thing(self) -> Group:
        if bool(self.analyzers) == bool(self.model):
            raise ValueError("a group has either analyzers or a model")
        if lost := sorted(set(self.batch_sizes) - set(self.analyzers)):
            raise ValueError(f"batch_sizes names {lost[0]}, which is not an analyzer of the group")
        return self


class Ingest(IngestLimits):
    """Fetching videos by their address: without `hosts`, none is fetched."""

    max_mib: int = Field(2048, ge=1)
    timeout_s: float = Field(1800.0, gt=0)


class Service(ParameterFile):
    """An analysis service."""

    folder: ClassVar[str] = "service"
    called: ClassVar[str] = "service"
    title: str
    base: Name = "default"
    """Base profile: which analyzers a job runs unless it names some, and their settings."""
    model: Annotated[str, Field(pattern=f"^({NAME})?$", max_length=100)] = ""
    """Model that captions unless a job names another; empty for none."""
    groups: Annotated[
        dict[Annotated[str, Field(pattern=f"^{GROUP}$")], Group], Field(min_length=1, max_length=50)
    ]
    folders: Annotated[tuple[str, ...], Field(max_length=100)] = ("videos",)
    """Folders that videos may lie in, relative to the project; those of `parameters/videos` may
    lie anywhere."""
    upload_mib: int = Field(2048, ge=1)
    """Largest upload."""
    offline: bool = True
    """Nothing is fetched at run time, even if a library would."""
    free_disk_mib: int = Field(1024, ge=0)
    """No work is begun with less free space where results go."""
    timeout_s: float = Field(6 * 3600.0, gt=0)
    """Limit for one group's work on one video."""
    attempts: int = Field(3, ge=1, le=100)
    """How often one group's work on one video is tried."""
    ingest: Ingest = Ingest()
    publish: str = Field("", pattern=r"^(cosmos|jsonl:.+)?$", max_length=4096)
    """Where results go besides their files, as `kairos publish TO=` has it: `cosmos`, or `jsonl:`
    and a folder."""

    @model_validator(mode="after")
    def _is_whole(self) -> Service:
        owners: dict[str, str] = {}
        for group, one in self.groups.items():
            for analyzer in one.analyzers:
                if analyzer in owners:
                    raise ValueError(
                        f"{analyzer} is in two groups, {owners[analyzer]} and {group}: a video's "
                        "analyzer runs once"
                    )
                owners[analyzer] = group
        models = [one.model for one in self.groups.values() if one.model]
        if twice := next((name for name in models if models.count(name) > 1), ""):
            raise ValueError(f"two groups have the model {twice}: give one of them more processes")
        if self.model and self.model not in models:
            raise ValueError(f"model: {self.model} is in no group")
        for folder in self.folders:
            if not folder.strip() or ".." in PurePath(folder).parts:
                raise ValueError(f"folders: {folder!r} must name a folder without '..'")
        return self

    def group_of(self, analyzer: str) -> str:
        """The group that an analyzer is in; empty if there is none."""
        return next((n for n, one in self.groups.items() if analyzer in one.analyzers), "")

    def group_with(self, model: str) -> str:
        """The group that a model is in; empty if there is none."""
        return next((n for n, one in self.groups.items() if model and one.model == model), "")

    @property
    def models(self) -> list[str]:
        """The models that a job can ask for."""
        return [one.model for one in self.groups.values() if one.model]

    @property
    def batch_sizes(self) -> dict[str, int]:
        """Batch sizes of all groups, by analyzer."""
        return {
            name: size for one in self.groups.values() for name, size in one.batch_sizes.items()
        }
