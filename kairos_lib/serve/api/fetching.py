"""Videos that a client names by an address: asked for only where the service may ask."""

from __future__ import annotations

from anyio import CapacityLimiter, to_thread

from kairos_lib.errors import KairosError
from kairos_lib.serve.api.problems import Problem
from kairos_lib.serve.api.setting import Setting
from kairos_lib.serve.videos import address_of

FETCHING = CapacityLimiter(4)
"""Downloads at once. They have threads of their own: other requests wait for none of them."""


def checked(setting: Setting, url: str) -> str:
    """Check an address before anything is asked; where it leads is checked when it is fetched.

    Raises:
        Problem: This service does not fetch from it.
    """
    try:
        return address_of(setting.service, url)
    except KairosError as error:
        raise Problem(403, str(error), "outside") from error


async def fetched(setting: Setting, url: str) -> str:
    """Fetch a video now.

    Returns:
        Its file, as a job names it.

    Raises:
        Problem: It may not be fetched, or could not be.
    """
    checked(setting, url)
    from kairos_lib.ingest.fetching import fetch

    try:
        path = await to_thread.run_sync(
            fetch, url, setting.uploads, setting.service.ingest, limiter=FETCHING
        )
    except KairosError as error:
        raise Problem(404, str(error), "not_fetched") from error
    return setting.project.relative(path)
