"""Makes what clients are told of a job from what its queue holds, whoever added it there."""

from __future__ import annotations

from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from kairos_lib.formats import shortened
from kairos_lib.names import showable
from kairos_lib.serve.api.records import JobView, State
from kairos_lib.serve.contract import JobProgress

if TYPE_CHECKING:
    from bullmq import Job

CANCELLED = "cancelled"
"""What the reason of a cancelled job begins with."""
LONGEST_REASON = 500


def progress_of(value: Any) -> JobProgress:
    """A job's progress; none so far where it is not of this service's form."""
    try:
        return JobProgress.model_validate(value)
    except ValidationError:
        return JobProgress()


def job_view(job: Job, state: str, cancelling: bool, root: Path) -> JobView:
    """A job as clients see it.

    Args:
        job: From the queue.
        state: Its state there, in the queue's words.
        cancelling: Whether it is to be cancelled.
        root: The project's.
    """
    data = job.data if isinstance(job.data, dict) else {}
    progress = progress_of(job.progress)
    reason = first_line(job.failedReason, root) if state == "failed" else ""
    path, url = _text(data.get("videoPath")), _text(data.get("url"))
    analyzers = data.get("analyzers")
    return JobView(
        id=str(job.id),
        state=_state(state, progress, reason, cancelling),
        title=_text(data.get("title")) or (PurePath(path).name if path else url or str(job.id)),
        videoPath=path,
        url=url,
        model=_text(data.get("model")),
        analyzers=[str(name) for name in analyzers] if isinstance(analyzers, list) else None,
        priority=job.priority or 0,
        submitted_s=job.timestamp / 1000,
        started_s=job.processedOn / 1000 if job.processedOn else None,
        finished_s=job.finishedOn / 1000 if job.finishedOn else None,
        progress=progress,
        reason=reason,
    )


def _state(state: str, progress: JobProgress, reason: str, cancelling: bool) -> State:
    if state == "completed":
        return "done"
    if state == "failed":
        return "cancelled" if reason.startswith(CANCELLED) else "failed"
    if cancelling:
        return "cancelling"
    return progress.state if progress.state in ("running", "merging") else "queued"


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def first_line(value: Any, root: Path) -> str:
    """The first line of a reason, without what a terminal or a page could take for more.

    Args:
        value: The reason, from whoever failed.
        root: The project's, which is nothing that clients need to know.
    """
    first = next(iter(str(value or "no reason was given").splitlines()), "")
    first = first.replace(f"{root}/", "")
    shown = first if showable(first) else ascii(first)
    return shortened(shown, LONGEST_REASON)
