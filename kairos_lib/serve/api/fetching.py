"""Videos that a client names by an address: asked for only where the service may ask."""

from __future__ import annotations

from urllib.parse import urlsplit

from anyio import CapacityLimiter, to_thread

from kairos_lib.errors import KairosError
from kairos_lib.names import quoted
from kairos_lib.serve.api.problems import Problem
from kairos_lib.serve.api.setting import Setting

FETCHING = CapacityLimiter(4)
"""Downloads at once. They have threads of their own: other requests wait for none of them."""


def check_host(setting: Setting, url: str) -> None:
    """Check that an address is on an allowed host; where it leads is checked when it is fetched.

    Raises:
        Problem: It is not.
    """
    try:
        host = (urlsplit(url).hostname or "").lower()
    except ValueError:
        host = ""
    hosts = setting.service.ingest.hosts
    if not any(host == known or host.endswith(f".{known}") for known in hosts):
        listed = ", ".join(hosts) or "none"
        raise Problem(403, f"{quoted(host)} is not a host to fetch from ({listed})", "outside")


async def fetched(setting: Setting, url: str) -> str:
    """Fetch a video now.

    Returns:
        Its file, as a job names it.

    Raises:
        Problem: It may not be fetched, or could not be.
    """
    check_host(setting, url)
    from kairos_lib.ingest.fetching import fetch  # type: ignore[import-not-found,unused-ignore]
    from kairos_lib.parameters.ingest import (  # type: ignore[import-not-found,unused-ignore]
        IngestLimits,
    )

    ingest = setting.service.ingest
    limits = IngestLimits(
        hosts=tuple(name for host in ingest.hosts for name in (host, f"*.{host}")),
        max_mib=ingest.max_mib,
        max_duration_s=ingest.max_duration_s,
        timeout_s=ingest.timeout_s,
    )
    try:
        path = await to_thread.run_sync(fetch, url, setting.uploads, limits, limiter=FETCHING)
    except KairosError as error:
        raise Problem(404, str(error), "not_fetched") from error
    return setting.project.relative(path)
