"""yt-dlp as far as it is used: one file, by plain HTTP, with nothing of the user's settings.

Runs in the guarded process alone. Knows nothing of where the file goes.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from kairos_lib.errors import KairosError
from kairos_lib.ingest.addresses import INSTEAD
from kairos_lib.ingest.guard import Guard
from kairos_lib.ingest.job import Answer, Job
from kairos_lib.parameters.ingest import IngestLimits

STEM = "video"
WAIT_S = 20.0
"""For a server to say anything more."""
TITLE_CHARS = 200


def download(job: Job) -> Answer:
    """Fetch one video.

    Raises:
        KairosError: There is none, or it is none that may be fetched. Part of a line.
    """
    # It opens connections in C, unseen by the guard.
    sys.modules["curl_cffi"] = None  # type: ignore[assignment]
    try:
        import yt_dlp
    except ImportError:
        raise KairosError("needs the package yt-dlp: run `make install`") from None
    guard = Guard(job.folder, job.limits.hosts, job.reachable)
    guard.install()
    try:
        with yt_dlp.YoutubeDL(_settings(job)) as downloader:
            found = _only_one(downloader.extract_info(job.url, download=False))
            _check(found, job.limits)
            downloader.process_ie_result(found, download=True)
    except Exception as error:
        # Any of yt-dlp's thousand extractors may trip over what it reads, in any way.
        if guard.refused:
            raise KairosError(guard.refused) from error
        if isinstance(error, KairosError | MemoryError):
            raise
        raise KairosError(f"{_plain(error)}: check the address, or {INSTEAD}") from error
    if guard.refused:
        raise KairosError(guard.refused)
    path = _file(job.folder)
    length_s = _length_s(path)
    _check_length(length_s, job.limits)
    title = "".join(c for c in str(found.get("title") or "") if c.isprintable())
    return Answer(file=path.name, title=title[:TITLE_CHARS], duration_s=length_s)


def _settings(job: Job) -> dict[str, Any]:
    """yt-dlp's parameters; its configuration files are read by its command alone."""
    most = job.limits.max_mib * 1024**2

    def cut(progress: dict[str, Any]) -> None:
        # A declared size may be a lie; what has arrived is not.
        size = max(progress.get("downloaded_bytes") or 0, progress.get("total_bytes") or 0)
        if size > most:
            raise KairosError(
                f"the video is larger than {job.limits.max_mib} MiB: raise `max_mib`, or {INSTEAD}"
            )

    return {
        "quiet": True,
        "noprogress": True,
        "logger": _Silence(),
        "color": "never",
        "proxy": "",
        "cachedir": False,
        "usenetrc": False,
        "enable_file_urls": False,
        "js_runtimes": {},
        "geo_bypass": False,
        "noplaylist": True,
        "playlist_items": "1:2",  # Enough to know that there is more than one.
        "socket_timeout": min(WAIT_S, job.limits.timeout_s),
        "retries": 0,
        "extractor_retries": 0,
        "file_access_retries": 0,
        "continuedl": False,
        "updatetime": False,
        "fixup": "never",
        "format": _single_files,
        "paths": {"home": str(job.folder)},
        "outtmpl": {"default": f"{STEM}.%(ext)s"},
        "progress_hooks": [cut],
    }


def _single_files(context: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The best format that is one file with all there is to see and to hear.

    Streams (HLS, DASH) are put together by ffmpeg, a process of its own, and so are pictures and
    sound from two files.
    """
    formats = context["formats"]
    heard = any(one.get("acodec") != "none" for one in formats)
    fitting = [
        one
        for one in formats
        if one.get("protocol") in ("http", "https")
        and one.get("vcodec") != "none"
        and not (heard and one.get("acodec") == "none")
    ]
    if not fitting:
        raise KairosError(
            "the video is offered as a stream or in parts (HLS, DASH) and not as one file, which "
            f"is all that is fetched: {INSTEAD}"
        )
    yield fitting[-1]


def _only_one(found: Any) -> dict[str, Any]:
    """The one video of a page."""
    if found and found.get("_type", "video") == "video":
        return dict(found)
    entries = [entry for entry in (found or {}).get("entries") or () if entry]
    if len(entries) != 1:
        number = "more than one video" if entries else "no video"
        raise KairosError(f"the page has {number}: give the address of one, or of its file")
    return _only_one(entries[0])


def _check(found: dict[str, Any], limits: IngestLimits) -> None:
    if found.get("is_live") or found.get("live_status") in ("is_live", "is_upcoming"):
        raise KairosError("it is live and has no end yet: wait until it is over")
    _check_length(found.get("duration"), limits)


def _check_length(duration_s: object, limits: IngestLimits) -> None:
    if isinstance(duration_s, int | float) and duration_s > limits.max_duration_s:
        raise KairosError(
            f"the video is {duration_s:,.0f} s long, and {limits.max_duration_s:,.0f} s are "
            f"allowed: raise `max_duration_s`, or {INSTEAD}"
        )


def _file(folder: Path) -> Path:
    """What was downloaded."""
    found = [path for path in folder.glob(f"{STEM}.*") if path.suffix != ".part"]
    if len(found) != 1:
        raise KairosError(f"nothing arrived: check the address, or {INSTEAD}")
    return found[0]


def _length_s(path: Path) -> float:
    """The length of what arrived, as it is and not as its page says."""
    from kairos_lib.media.video import probe

    try:
        return probe(path, sha256="").duration_s
    except KairosError as error:
        raise KairosError(
            f"what arrived is no video that can be read: check the address, or {INSTEAD}"
        ) from error


def _plain(error: Exception) -> str:
    """yt-dlp's message without its advice, which is about its own command."""
    text = " ".join(str(error).split()).removeprefix("ERROR: ")
    if "Unsupported URL" in text:
        return "there is no video that yt-dlp finds"
    text = re.sub(r"^\[[^]]*\] (\S+: )?", "", text)
    text = re.split(r" \(caused by|; please report this issue", text)[0]
    return text.rstrip(".") or type(error).__name__


class _Silence:
    """Where yt-dlp's messages go: its errors are raised as well."""

    def debug(self, _: str) -> None: ...

    def info(self, _: str) -> None: ...

    def warning(self, _: str) -> None: ...

    def error(self, _: str) -> None: ...
