"""Videos of a project that were named by an address: fetched once, then files like any other.

The name of the file says all there is to know: what it is, the address it came from and its
content, each but the first as digits of a hash.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from pathlib import Path

from kairos_lib.ingest.addresses import checked
from kairos_lib.ingest.fetching import Fetched, fetched
from kairos_lib.parameters.ingest import IngestLimits
from kairos_lib.project import Project, slug

HASH_DIGITS = 8
TITLE_CHARS = 40


def folder(project: Project) -> Path:
    """Where they are."""
    return project.root / "videos" / "fetched"


def at_hand(
    project: Project, url: str, limits: IngestLimits, reachable: Collection[str] = ()
) -> Path | None:
    """The file of an address; None if it has not been fetched.

    Raises:
        KairosError: It is no address that may be fetched.
    """
    digits = _digits(checked(url, limits, reachable))
    return next(iter(sorted(folder(project).glob(f"[!.]*-{digits}-*"))), None)


def bring(
    project: Project, url: str, limits: IngestLimits, reachable: Collection[str] = ()
) -> Path:
    """Fetch a video into the project.

    Raises:
        KairosError: It may not be fetched or could not be.
    """
    digits = _digits(checked(url, limits, reachable))

    def named(video: Fetched) -> str:
        title = slug(video.title or "video")[:TITLE_CHARS].rstrip("-")
        return f"{title}-{digits}-{video.sha256[:HASH_DIGITS]}{video.suffix}"

    return fetched(url, folder(project), limits, named, reachable)


def _digits(url: str) -> str:
    return hashlib.sha256(url.encode()).hexdigest()[:HASH_DIGITS]
