"""`/v1/uploads`: a video as the body of a request, written to disk while it is received."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from starlette.requests import ClientDisconnect

from kairos_lib.serve.api.jobs import TheQueues, TheSetting, check_served
from kairos_lib.serve.api.problems import Problem, documented
from kairos_lib.serve.api.records import (
    NAME_OR_NONE,
    Absent,
    Name,
    Priority,
    Title,
    Upload,
    one_line,
)
from kairos_lib.serve.api.setting import Setting
from kairos_lib.serve.api.store import Incoming, Stored, suffix_of
from kairos_lib.serve.contract import JobData

router = APIRouter(prefix="/v1/uploads", tags=["uploads"])
AT_ONCE = 16
IDLE_S = 60.0
"""A client that sends nothing for so long is given up."""
BLOCK = 2**20
"""Bytes that are written to disk at once."""
BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "The video's bytes, as they are in its file.",
        "content": {
            "application/octet-stream": {
                "schema": {"type": "string", "format": "binary", "minLength": 1}
            }
        },
    }
}
FileName = Annotated[str, Query(min_length=1, max_length=255, description="The file's name.")]


@router.post(
    "",
    status_code=201,
    responses=documented(404, 408, 413, 429, 507),
    openapi_extra=BODY,
)
async def upload(
    request: Request,
    response: Response,
    queues: TheQueues,
    setting: TheSetting,
    name: FileName,
    submit: Annotated[bool, Query(description="Whether to add a job about it.")] = True,
    title: Annotated[Title | Absent, Query()] = None,
    model: Annotated[str | Absent, Query(pattern=NAME_OR_NONE)] = None,
    analyzers: Annotated[list[Name] | Absent, Query(max_length=100)] = None,
    priority: Annotated[Priority, Query()] = 100,
) -> Upload:
    """Keep a video and, unless `submit` is false, add a job about it."""
    check_served(setting, model, analyzers)
    running: set[str] = request.app.state.uploads
    if len(running) >= AT_ONCE:
        raise Problem(429, f"{AT_ONCE} videos are received already", headers={"Retry-After": "5"})
    running.add(request.state.request_id)
    try:
        stored = await _receive(request, setting, suffix_of(name))
    finally:
        running.discard(request.state.request_id)
    path = setting.project.relative(stored.path)
    job = None
    if submit:
        given = {
            "videoPath": path, "title": title or one_line(name), "model": model,
            "analyzers": analyzers, "priority": priority,
        }  # fmt: skip
        wanted = {key: value for key, value in given.items() if value is not None}
        job = await queues.add(JobData.model_validate(wanted))
        response.headers["Location"] = f"/v1/jobs/{job.id}"
    return Upload(videoPath=path, sha256=stored.sha256, bytes=stored.bytes, job=job)


async def _receive(request: Request, setting: Setting, suffix: str) -> Stored:
    """The body as a file; the guard has its limit."""
    declared = int(request.headers.get("content-length", 0))
    incoming = await asyncio.to_thread(
        Incoming, setting.uploads, setting.service.free_disk_mib, declared
    )
    try:
        async for block in _blocks(request.stream()):
            await asyncio.to_thread(incoming.write, block)
        return await asyncio.to_thread(incoming.keep, suffix)
    except ClientDisconnect as error:
        raise Problem(400, "the upload was cut off") from error
    finally:
        await asyncio.to_thread(incoming.discard)


async def _blocks(stream: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """What comes, in blocks that are worth a visit to the disk."""
    block = bytearray()
    while True:
        try:
            chunk = await asyncio.wait_for(anext(stream, None), IDLE_S)
        except TimeoutError as error:
            raise Problem(408, f"nothing came for {IDLE_S:.0f} seconds") from error
        if chunk is None:
            break
        block += chunk
        if len(block) >= BLOCK:
            yield bytes(block)
            block.clear()
    if block:
        yield bytes(block)
