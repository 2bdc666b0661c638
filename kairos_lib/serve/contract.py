"""What the parts of the service tell each other through Redis: names of keys, and their records.

Redis holds paths and states; results are files. Knows nothing of queues' clients or of analyzers.
"""

from __future__ import annotations

import os
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictInt, model_validator

from kairos_lib.runs.record import Record

REDIS_URL = "REDIS_URL"
"""Environment variable with the address of Redis."""
OWN_PORT = 6390
"""Where `kairos serve` starts a Redis of its own, on loopback."""
JOBS = "vlm-process"
"""The queue that jobs are put on, from here or from any Node.js site."""
PREFIX = "bull"
"""BullMQ's own, for its keys."""
WORKERS = "kairos:workers"
"""Hash of heartbeats: `group:host:pid` to the JSON of a `Heartbeat`."""
COUNTERS = "kairos:counters"
"""Hash of counters that only grow; see `Counted`."""
SEEN_WITHIN_S = 5.0
"""A process whose last heartbeat is older counts as gone."""
VLM = "vlm"
"""What a model's captions are called beside the analyzers in `JobProgress.analyzers`."""
RESULTS = "service"
"""Folder under `runs/` for result files."""

Counted = Literal["jobs_done", "jobs_failed", "media_s", "work_s", "hits", "loads", "evictions"]
"""Names of counters; besides `stage_s:NAME` and `stages:NAME`, the seconds and the number of runs
of each analyzer."""
WorkerState = Literal["loading", "ready", "busy", "gone"]
AnalyzerState = Literal["waiting", "running", "done", "reused", "skipped", "failed"]
JobState = Literal["queued", "running", "merging", "done"]


def redis_url() -> str:
    """The address of Redis: from the environment, or that of the one `kairos serve` starts."""
    return os.environ.get(REDIS_URL, "").strip() or f"redis://127.0.0.1:{OWN_PORT}"


def group_queue(group: str) -> str:
    """The queue of a group of workers."""
    return f"kairos-{group}"


def child_id(parent: str, group: str, wave: int) -> str:
    """The id of a parent's child for a group: the same whoever adds it, and however often."""
    return f"{parent}-{group}-{wave}"


def cancel_key(parent: str) -> str:
    """The key whose presence cancels a job."""
    return f"kairos:cancel:{parent}"


def progress_key(parent: str) -> str:
    """Hash of a job's analyzers: name to the JSON of an `AnalyzerProgress`."""
    return f"kairos:progress:{parent}"


def worker_field(group: str, host: str, pid: int) -> str:
    """A process's field among the heartbeats."""
    return f"{group}:{host}:{pid}"


class Message(BaseModel):
    """Something that travels as JSON: names as JavaScript writes them, unknown ones refused."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, populate_by_name=True, serialize_by_alias=True
    )


class JobData(Message):
    """The data of a job on `vlm-process`."""

    video_path: str = Field("", alias="videoPath", max_length=4096)
    """Name of a file of `parameters/videos`, or a path inside the service's folders; relative
    ones are relative to the project."""
    url: str = Field("", max_length=4096)
    """Address to fetch the video from, instead of a path."""
    model: str | None = Field(None, max_length=200)
    """Parameter file of the model; left out, the service's own; empty for none."""
    analyzers: tuple[str, ...] | None = Field(None, max_length=100)
    """Analyzers to run; left out, all of the service's profile."""
    priority: StrictInt = Field(0, ge=0, le=2_000_000)
    """1 comes before 5; 0, none, before both."""
    title: str = Field("", max_length=500)
    fresh: StrictBool = False
    """Analyze again what is done already; earlier results are set aside."""

    @model_validator(mode="after")
    def _has_one_source(self) -> JobData:
        if bool(self.video_path) == bool(self.url):
            raise ValueError("give either videoPath or url")
        return self


class ChildData(Message):
    """The data of a child on a group's queue: analyzers of a video, or a model's captions."""

    video_path: str = Field(alias="videoPath")
    """As its parent has it, after any download."""
    analyzers: tuple[str, ...] = ()
    """Those of this child. For a model: those of the whole base run, whose findings it gets."""
    model: str = ""
    base: str = ""
    """Name of the base profile."""
    title: str = ""
    prompt: str = Field("", max_length=50_000)
    """A question to the model about the whole video, in place of captions of its scenes."""


class AnalyzerProgress(Message):
    """How far one analyzer of a job is."""

    state: AnalyzerState = "waiting"
    done: int = 0
    total: int = 0
    reason: str = ""
    """Why it failed or was skipped."""


class JobProgress(Message):
    """The progress of a job: the object that BullMQ's `progress` events carry."""

    state: JobState = "queued"
    done: int = 0
    """Analyzers that have ended, the model's captions included."""
    total: int = 0
    analyzers: dict[str, AnalyzerProgress] = Field(default_factory=dict)


class JobResult(Message):
    """The return value of a job: paths, relative to the project."""

    result: str
    """The result file."""
    video: str
    """Name of the video among the runs."""
    base: str
    """Folder of the base run."""
    vlm: str | None = None
    """Folder of the model's run."""


class Answer(Message):
    """The return value of a question: a child with a `prompt`, which has no parent."""

    answer: str
    prompt_tokens: int = 0
    completion_tokens: int = 0
    truncated: bool = False
    """Cut off by the model's limit on new tokens."""


class Heartbeat(Message):
    """How a process of a group is, once a second."""

    group: str
    host: str
    pid: int
    """Of the process that holds the models."""
    device: str
    state: WorkerState
    rss_mib: float = 0.0
    vram_mib: float = 0.0
    hits: int = 0
    """How often a model was already loaded, since the process began."""
    loads: int = 0
    evictions: int = 0
    jobs: int = 0
    """Children that ended well."""
    errors: int = 0
    since_s: float
    """When the process began, in seconds since 1970."""
    seen_s: float
    """When this was written."""


class ResultFile(Record):
    """The beginning of a result file, `runs/service/KEY.json`; its scenes follow."""

    key: str
    """Hash of the video's content, the base run's key and the model run's key."""
    video: str
    title: str
    video_sha256: str
    duration_s: float
    profile: str
    base: str
    """Folder of the base run, relative to the project."""
    base_key: str
    model: str | None = None
    vlm: str | None = None
    vlm_key: str | None = None
