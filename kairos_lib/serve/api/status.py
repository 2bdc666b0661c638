"""`/v1/status`: what runs where, and how it went in the last minutes; what the page shows."""

from __future__ import annotations

import time
from collections.abc import Mapping

from fastapi import APIRouter, Request
from pydantic import BaseModel

from kairos_lib import __version__
from kairos_lib.serve.api.gpus import Gpu
from kairos_lib.serve.api.health import ready_groups
from kairos_lib.serve.api.jobs import TheSetting
from kairos_lib.serve.api.problems import documented
from kairos_lib.serve.api.queues import PENDING
from kairos_lib.serve.api.sampling import Sample, Sampler, Series, series
from kairos_lib.serve.api.setting import Setting
from kairos_lib.serve.contract import Heartbeat, group_queue

router = APIRouter(prefix="/v1", tags=["status"])


class Worker(BaseModel):
    """A process of a group."""

    host: str
    pid: int
    device: str
    state: str
    rss_mib: float
    vram_mib: float
    hits: int
    loads: int
    evictions: int
    jobs: int
    errors: int
    up_s: float
    """How long it has run."""
    seen_s: float
    """How long ago it was heard of."""


class GroupView(BaseModel):
    """A group of processes and its queue."""

    name: str
    analyzers: list[str]
    model: str
    device: str
    processes: int
    """How many it should have on a machine."""
    ready: bool
    waiting: int
    """Jobs on its queue that nobody works on."""
    active: int
    workers: list[Worker]


class Status(BaseModel):
    """The service as it is now."""

    title: str
    version: str
    upload_bytes: int
    """Limit for an upload."""
    hosts: list[str]
    """Where videos may be fetched from."""
    waiting: int
    running: int
    done: int
    failed: int
    rtf: float | None
    """Seconds of work for a second of video, since the counters began."""
    hit_rate: float | None
    """How often a model was found loaded."""
    groups: list[GroupView]
    gpus: list[Gpu]
    series: Series


@router.get("/status", responses=documented())
async def status(request: Request, setting: TheSetting) -> Status:
    """What runs where: groups, devices, memory, queues, and the last minutes."""
    sampler: Sampler = request.app.state.sampler
    now = await sampler.look()
    counters = now.counters
    return Status(
        title=setting.service.title,
        version=__version__,
        upload_bytes=setting.upload_bytes,
        hosts=list(setting.service.ingest.hosts),
        waiting=now.waiting,
        running=now.running,
        done=int(counters.get("jobs_done", 0)),
        failed=int(counters.get("jobs_failed", 0)),
        rtf=now.rtf,
        hit_rate=now.hit_rate,
        groups=_groups(setting, now),
        gpus=list(now.gpus),
        series=series([*sampler.samples], time.time()),
    )


def _groups(setting: Setting, now: Sample) -> list[GroupView]:
    groups = setting.service.groups
    ready: Mapping[str, bool] = ready_groups(list(groups), list(now.workers), now.at_s)
    found = []
    for name, group in groups.items():
        counts = now.counts.get(group_queue(name), {})
        beats = [beat for beat in now.workers if beat.group == name]
        found.append(
            GroupView(
                name=name,
                analyzers=list(group.analyzers),
                model=group.model,
                device=group.device,
                processes=group.processes,
                ready=ready[name],
                waiting=sum(counts.get(state, 0) for state in PENDING),
                active=counts.get("active", 0),
                workers=[_worker(beat, now.at_s) for beat in beats],
            )
        )
    return found


def _worker(beat: Heartbeat, now_s: float) -> Worker:
    kept = {"host", "pid", "device", "state", "rss_mib", "vram_mib"} | {
        "hits", "loads", "evictions", "jobs", "errors",
    }  # fmt: skip
    return Worker(
        **beat.model_dump(include=kept),
        up_s=max(0.0, now_s - beat.since_s),
        seen_s=max(0.0, now_s - beat.seen_s),
    )
