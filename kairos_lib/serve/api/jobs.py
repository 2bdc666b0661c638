"""`/v1/jobs`: add a job, look at it, cancel it."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request, Response

from kairos_lib.errors import KairosError
from kairos_lib.names import quoted
from kairos_lib.serve.api.fetching import checked
from kairos_lib.serve.api.problems import Problem, documented
from kairos_lib.serve.api.queues import Queues
from kairos_lib.serve.api.records import JOB_ID, JobList, JobView, PathJob, UrlJob
from kairos_lib.serve.api.setting import Setting
from kairos_lib.serve.contract import JOBS, JobData
from kairos_lib.serve.videos import video_of

router = APIRouter(prefix="/v1/jobs", tags=["jobs"])
JobId = Annotated[str, Path(pattern=JOB_ID, description="The job's id.")]


def queues_of(request: Request) -> Queues:
    """The application's queues."""
    queues: Queues = request.app.state.queues
    return queues


def setting_of(request: Request) -> Setting:
    """What the application was started with."""
    setting: Setting = request.app.state.setting
    return setting


TheQueues = Annotated[Queues, Depends(queues_of)]
TheSetting = Annotated[Setting, Depends(setting_of)]


def check_served(setting: Setting, model: str | None, analyzers: list[str] | None) -> None:
    """Check that some group has what a job wants; a job that nobody takes would wait for ever.

    Raises:
        Problem: None has.
    """
    if model and model not in setting.service.models:
        known = ", ".join(setting.service.models) or "none"
        raise Problem(404, f"no process has the model {quoted(model)}; served: {known}", "no_model")
    for name in analyzers or ():
        if name not in setting.analyzers:
            known = ", ".join(setting.analyzers) or "none"
            raise Problem(
                404, f"no process runs the analyzer {quoted(name)}; served: {known}", "no_analyzer"
            )


def check_video(setting: Setting, named: str) -> None:
    """Check that a job may be about a file.

    Raises:
        Problem: It may not, or there is no such file.
    """
    try:
        video_of(setting.project, setting.service, named)
    except KairosError as error:
        raise Problem(404, str(error), "no_video") from error
    except (OSError, RuntimeError, ValueError) as error:  # Too long, or not a path at all.
        raise Problem(404, f"there is no file {quoted(named)}", "no_video") from error


@router.post("", status_code=202, responses=documented(404))
async def submit(
    job: PathJob | UrlJob, response: Response, queues: TheQueues, setting: TheSetting
) -> JobView:
    """Add a job about a file in the service's folders, or about a video's address."""
    check_served(setting, job.model, job.analyzers)
    if isinstance(job, PathJob):
        await asyncio.to_thread(check_video, setting, job.videoPath)
    else:
        checked(setting, job.url)
    given = job.model_dump(exclude_none=True)
    view = await queues.add(JobData.model_validate(given))
    response.headers["Location"] = f"/v1/jobs/{view.id}"
    return view


@router.get("", responses=documented())
async def newest(queues: TheQueues, limit: Annotated[int, Query(ge=1, le=200)] = 50) -> JobList:
    """The newest jobs."""
    counts = await queues.counts()
    return JobList(jobs=await queues.newest(limit), counts=counts[JOBS])


@router.get("/{job_id}", responses=documented(404))
async def look(job_id: JobId, queues: TheQueues) -> JobView:
    """A job as it is now."""
    return await queues.view(job_id)


@router.post("/{job_id}/cancel", status_code=202, responses=documented(404, 409))
async def cancel(job_id: JobId, queues: TheQueues) -> JobView:
    """Have a job stopped where it is; what was found out so far is kept for the next time."""
    return await queues.cancel(job_id)
