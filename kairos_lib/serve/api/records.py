"""What clients send of jobs, and are told of them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field
from pydantic.json_schema import SkipJsonSchema

from kairos_lib.serve.contract import JobProgress

NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,199}$"
NAME_OR_NONE = rf"^({NAME[1:-1]})?$"
JOB_ID = r"^[A-Za-z0-9_-]{1,64}$"
LOWEST_PRIORITY = 1000
Absent = SkipJsonSchema[None]
"""The value of a header or a part of a query that is left out: none can be sent as null."""
State = Literal[
    "queued", "running", "merging", "done", "failed", "cancelling", "cancelled"
]  # fmt: skip
ENDED = frozenset({"done", "failed", "cancelled"})


def one_line(text: str) -> str:
    """A text with a sign in place of each character that cannot be shown in one line."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


Title = Annotated[str, Field(max_length=300), AfterValidator(one_line)]
Name = Annotated[str, Field(pattern=NAME)]
Analyzers = Annotated[list[Name], Field(min_length=1, max_length=100)]


def whole(value: Any) -> Any:
    """A whole number as JSON may write it: 100.0 is one, and true is none."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


Priority = Annotated[int, Field(ge=1, le=LOWEST_PRIORITY), BeforeValidator(whole)]


class Sent(BaseModel):
    """Something that a client sends: nothing unknown, and no value of another kind."""

    model_config = ConfigDict(extra="forbid", strict=True)


class _Job(Sent):
    model: Annotated[str, Field(pattern=NAME_OR_NONE)] | None = None
    """The captioning model, one of `/v1/models` that is served; empty for none, the service's own
    by default."""
    analyzers: Analyzers | None = None
    """What to find out, some of `/v1/analyzers` that are served; all of them by default."""
    priority: Priority = 100
    """1 goes first."""
    title: Title | None = None
    """What people call it; the file's name by default."""


class PathJob(_Job):
    """A job about a file of the service's machine."""

    videoPath: Annotated[str, Field(min_length=1, max_length=2000, examples=["videos/match.mp4"])]  # noqa: N815 -- the queue's own
    """A video of `parameters/videos` by its name, or a file: in a folder of the service, or one
    that was uploaded."""


class UrlJob(_Job):
    """A job about a video that the service fetches."""

    url: Annotated[str, Field(pattern=r"^https?://[^\s/]+", max_length=2000)]
    """The video's address, on one of the hosts that the service may ask."""


class JobView(BaseModel):
    """A job as it is now."""

    id: str
    state: State
    title: str
    videoPath: str | None  # noqa: N815 -- as it was sent
    url: str | None
    model: str | None
    """None is the service's own, empty is none."""
    analyzers: list[str] | None
    """None is all."""
    priority: int
    submitted_s: float
    """When, in seconds since 1970; likewise the others."""
    started_s: float | None
    """When the coordinator last took it up: it does so again after each wave."""
    finished_s: float | None
    progress: JobProgress
    reason: str
    """Why it failed; empty otherwise."""


class JobList(BaseModel):
    """Jobs, the newest first."""

    jobs: list[JobView]
    counts: dict[str, int]
    """How many jobs the queue has in each of its own states."""


class Upload(BaseModel):
    """A video that was uploaded."""

    videoPath: str  # noqa: N815 -- as a job names it
    """Its file, named by a hash of its content."""
    sha256: str
    bytes: int
    job: JobView | None
    """The job about it, if one was wanted."""
