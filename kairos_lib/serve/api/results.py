"""`/v1/jobs/{id}/result` and its pictures: files of the runs, named by what a job returned.

What a job returned comes from Redis, where anyone who can add jobs can write: paths are confined.
"""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Path, Response

from kairos_lib.errors import KairosError
from kairos_lib.names import inside
from kairos_lib.serve.api.jobs import JobId, TheQueues, TheSetting
from kairos_lib.serve.api.problems import Documented, Problem, documented
from kairos_lib.serve.api.setting import Setting
from kairos_lib.serve.contract import JobResult

router = APIRouter(prefix="/v1/jobs", tags=["jobs"])
PICTURE_NAME = r"^[A-Za-z0-9_-]{1,100}\.jpg$"
RESULT: Documented = {
    200: {
        "description": "What was found out, scene by scene",
        "content": {"application/json": {"schema": {"type": "object"}}},
    }
}


@router.get(
    "/{job_id}/result", response_class=Response, responses={**documented(404, 409), **RESULT}
)
async def result(job_id: JobId, queues: TheQueues, setting: TheSetting) -> Response:
    """The result of a job that is done."""
    returned = await queues.returned(job_id)
    content = await asyncio.to_thread(_read, setting, returned)
    return Response(content, media_type="application/json")


def _read(setting: Setting, returned: Any) -> bytes:
    """The result file that a job names: from Redis, where anyone who can add jobs can write."""
    try:
        named = JobResult.model_validate(returned).result
        path = (setting.project.root / named).resolve()
        # Directly in it: uploads are in a folder below.
        if path.parent != setting.results.resolve() or path.suffix != ".json":
            raise Problem(404, "the job names no result of this service", "no_result")
        return path.read_bytes()
    except (ValueError, RuntimeError, OSError) as error:
        raise Problem(404, "the job's result is not here any more", "no_result") from error


PICTURE: Documented = {
    200: {
        "description": "The picture",
        "content": {"image/jpeg": {"schema": {"type": "string", "format": "binary"}}},
    }
}


@router.get(
    "/{job_id}/thumbnails/{name}",
    response_class=Response,
    responses={**documented(404, 409), **PICTURE},
)
async def thumbnail(
    job_id: JobId,
    name: Annotated[str, Path(pattern=PICTURE_NAME, description="As a scene names it.")],
    queues: TheQueues,
    setting: TheSetting,
) -> Response:
    """A picture of a scene, by the name that the result's scenes have of it."""
    returned = await queues.returned(job_id)
    content = await asyncio.to_thread(_picture, setting, returned, name)
    return Response(content, media_type="image/jpeg")


def _picture(setting: Setting, returned: Any, name: str) -> bytes:
    try:
        named = JobResult.model_validate(returned).base
        path = setting.project.root / named / "thumbnails" / name
        # Checked as one path, so that no link in it leads out of the runs.
        return inside(setting.project.runs / "base", path, "a job's result").read_bytes()
    except (ValueError, KairosError, OSError) as error:
        raise Problem(404, "the picture is not here any more", "no_picture") from error
