"""Documents as JSON Lines in a folder: what a database would hold, with no account."""

from __future__ import annotations

import json
from pathlib import Path

from kairos_lib.errors import KairosError
from kairos_lib.publish.documents import Edition, text
from kairos_lib.publish.store import SCENES, VIDEOS, Store
from kairos_lib.runs.files import replacing


class JsonLines(Store):
    """A folder with `videos/<video_id>.jsonl` and `scenes/<video_id>.jsonl`.

    Args:
        folder: Created if necessary.

    Raises:
        KairosError: It cannot be a folder.
    """

    def __init__(self, folder: Path) -> None:
        try:
            for name in (VIDEOS, SCENES):
                (folder / name).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise KairosError(
                f"TO=jsonl:{folder} cannot be a folder ({error.strerror}): name another"
            ) from error
        self._folder = folder

    def digest(self, video_id: str) -> str:
        """From the video's file, if its scenes' file is there as well."""
        if not self._path(SCENES, video_id).is_file():
            return ""
        try:
            found = json.loads(self._path(VIDEOS, video_id).read_bytes())
        except (FileNotFoundError, ValueError):
            return ""
        return str(found.get("digest", "")) if isinstance(found, dict) else ""

    def write(self, edition: Edition) -> int:
        """Replace both files, each atomically; the video's is away while its scenes change."""
        video = self._path(VIDEOS, edition.video_id)
        video.unlink(missing_ok=True)
        with replacing(self._path(SCENES, edition.video_id)) as file:
            for scene in edition.again():
                file.write(text(scene).encode() + b"\n")
        with replacing(video) as file:
            file.write(text(edition.video).encode() + b"\n")
        return len(edition.digests)

    def _path(self, kind: str, video_id: str) -> Path:
        return self._folder / kind / f"{video_id}.jsonl"
