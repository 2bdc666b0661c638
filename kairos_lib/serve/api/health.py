"""`/healthz` and `/readyz`: whether the API runs, and whether every group has its models loaded."""

from __future__ import annotations

import time
from typing import Literal

from fastapi import APIRouter, Response
from pydantic import BaseModel

from kairos_lib.serve.api.jobs import TheQueues, TheSetting
from kairos_lib.serve.api.problems import Documented, documented
from kairos_lib.serve.contract import SEEN_WITHIN_S, Heartbeat

router = APIRouter(tags=["health"])


class Healthy(BaseModel):
    """The API runs."""

    status: Literal["ok"] = "ok"


class Ready(BaseModel):
    """Whether jobs would be begun at once."""

    ready: bool
    groups: dict[str, bool]
    """Whether each group has a process with its models loaded."""


def ready_groups(wanted: list[str], beats: list[Heartbeat], now_s: float) -> dict[str, bool]:
    """Which groups have a process that is ready or busy and was seen lately."""
    warm = {
        beat.group
        for beat in beats
        if beat.state in ("ready", "busy") and now_s - beat.seen_s <= SEEN_WITHIN_S
    }
    return {group: group in warm for group in wanted}


@router.get("/healthz", responses=documented())
async def healthz() -> Healthy:
    """The API runs; it asks nothing else."""
    return Healthy()


NOT_READY: Documented = {503: {"model": Ready, "description": "A group is not ready"}}


@router.get("/readyz", responses={**documented(), **NOT_READY})
async def readyz(response: Response, queues: TheQueues, setting: TheSetting) -> Ready:
    """Whether Redis answers and every group has a process with its models loaded."""
    now_s = time.time()
    groups = ready_groups(list(setting.service.groups), await queues.workers(now_s), now_s)
    ready = all(groups.values())
    response.status_code = 200 if ready else 503
    return Ready(ready=ready, groups=groups)
