"""`/v1/jobs/{id}/events`: a job's progress as server-sent events."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Annotated

from fastapi import APIRouter, Header, Request, Response
from fastapi.responses import StreamingResponse
from fastapi.sse import KEEPALIVE_COMMENT, format_sse_event

from kairos_lib.serve.api.jobs import JobId, TheQueues
from kairos_lib.serve.api.problems import Documented, Problem, documented
from kairos_lib.serve.api.queues import Queues
from kairos_lib.serve.api.records import ENDED, JobView
from kairos_lib.serve.api.stream import EVENT_ID, Hub
from kairos_lib.serve.api.views import progress_of

router = APIRouter(prefix="/v1/jobs", tags=["jobs"])
PING_S = 15.0
LISTENERS = 200
EVENT = {
    "type": "object",
    "required": ["id", "event", "data"],
    "properties": {
        "id": {"type": "string"},
        "event": {"enum": ["job", "progress"]},
        "data": {"type": "string", "contentMediaType": "application/json"},
    },
}
TOLD: Documented = {
    200: {
        "description": (
            "Server-sent events: `job` has the whole job, `progress` its progress; the last is a "
            "`job` that has ended. Each has an id for `Last-Event-ID`."
        ),
        "content": {"text/event-stream": {"schema": EVENT}},
    },
    204: {"description": "The job has ended, and everything was told before `Last-Event-ID`"},
}


@router.get("/{job_id}/events", response_class=Response, responses={**documented(404, 429), **TOLD})
async def events(
    job_id: JobId,
    request: Request,
    queues: TheQueues,
    last_event_id: Annotated[
        str, Header(description="The last id that was received.", pattern=EVENT_ID)
    ] = "",
) -> Response:
    """What happens to a job, from now or from where a client was cut off, until it has ended."""
    hub: Hub = request.app.state.hub
    if hub.listeners >= LISTENERS:
        raise Problem(429, "too many listen already", headers={"Retry-After": "5"})
    # Before the job is looked at, so that nothing happens unseen in between.
    newest = await hub.last_id()
    view = await queues.view(job_id)
    after, first = newest, True
    if last_event_id and await hub.reaches_back_to(last_event_id):
        after, first = last_event_id, False
        if view.state in ENDED and not await _more(hub, job_id, after):
            return Response(status_code=204)
    told = _told(hub, queues, view, after, first)
    return StreamingResponse(_with_pings(told), media_type="text/event-stream")


async def _more(hub: Hub, job_id: str, after: str) -> bool:
    """Whether anything happened to a job after an event."""
    async with aclosing(hub.follow(job_id, after)) as told:
        return await anext(told, None) is not None


async def _told(
    hub: Hub, queues: Queues, view: JobView, after: str, first: bool
) -> AsyncIterator[bytes]:
    """The events of a job, beginning with the job itself where nothing was told before."""
    shown = ""
    if first:
        shown = view.state
        yield _job(view, after)
    if first and view.state in ENDED:
        return
    async for event in hub.follow(view.id, after):
        if event is not None and event.kind == "progress":
            after = event.id
            progress = progress_of(json.loads(event.data or "0"))
            yield format_sse_event(
                data_str=progress.model_dump_json(), event="progress", id=event.id
            )
            continue
        after = event.id if event is not None else after
        try:
            now = await queues.view(view.id)
        except Problem:  # Removed by somebody.
            return
        if now.state != shown and (event is not None or now.state in ENDED):
            shown = now.state
            yield _job(now, after)
        if now.state in ENDED:
            return


def _job(view: JobView, event_id: str) -> bytes:
    return format_sse_event(data_str=view.model_dump_json(), event="job", id=event_id)


async def _with_pings(told: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Add a comment wherever nothing was told for a while, so that nobody in between hangs up."""
    iterator = aiter(told)
    coming: asyncio.Task[bytes] | None = None
    try:
        while True:
            coming = coming or asyncio.ensure_future(_next(iterator))
            done, _ = await asyncio.wait({coming}, timeout=PING_S)
            if not done:
                yield KEEPALIVE_COMMENT
                continue
            try:
                yield coming.result()
            except StopAsyncIteration:
                return
            coming = None
    finally:
        if coming is not None:
            coming.cancel()


async def _next(iterator: AsyncIterator[bytes]) -> bytes:
    return await anext(iterator)
