"""Puts pictures into a page. Does not know what they show."""

from __future__ import annotations

import base64
import hashlib
import html
import io
import re
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

from kairos_lib.errors import KairosError
from kairos_lib.project import Project
from kairos_lib.report.sections.badges import pills
from kairos_lib.results.badges import UNSHOWN

if TYPE_CHECKING:
    from PIL import Image

IMAGES = {
    ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".png": "image/png", ".webp": "image/webp",
    ".gif": "image/gif",
}  # fmt: skip
FORMATS = ("JPEG", "PNG", "WEBP", "GIF")
MOST_PIXELS = 7680 * 4320
"""An 8K frame, 100 MB unpacked. A picture of a few kilobytes can claim many times that, which would
take gigabytes here and in the browser."""
# A tag's quoted values may contain a `>`.
IMAGE_TAG = re.compile(r"""<img\b(?:[^>"']|"[^"]*"|'[^']*')*>""", re.IGNORECASE)
SOURCE = re.compile(r"""\b(src)\s*=\s*("[^"]*"|'[^']*')""", re.IGNORECASE)
SIZE = re.compile(r"""\bdata-size="(\w+)\"""")


@dataclass(frozen=True)
class Budget:
    """Size limits of a thumbnail."""

    longest_px: int
    size_bytes: int


BUDGETS = {"large": Budget(336, 11_000), "small": Budget(168, 3_600)}
"""By `data-size`. With both, 300 scenes take less than 6 MB of a page, as base64."""
QUALITIES = (80, 72, 64, 56, 48, 40)
"""JPEG qualities to try. Below the last one a picture looks better with fewer pixels."""
SMALLER = 0.85


class Pictures:
    """Puts pictures into a page, each shrunk once.

    A picture that cannot be shown, because it is damaged or unpacks to gigabytes, is replaced by a
    badge.

    Args:
        project: Pictures may come only from its runs folder.
        folder: Picture paths are relative to it.
    """

    def __init__(self, project: Project, folder: Path) -> None:
        self._runs = project.runs.resolve()
        self._folder = folder
        self._known: dict[tuple[bytes, str], str | None] = {}

    def inlined(self, page: str) -> str:
        """A page with its pictures embedded.

        Raises:
            KairosError: It refers to a picture that is not in the runs folder.
        """
        return IMAGE_TAG.sub(self._tag, page)

    def _tag(self, tag: re.Match[str]) -> str:
        size = SIZE.search(tag[0])
        # Embedded pictures need no lazy loading, and a browser may not print lazy ones.
        eager = tag[0].replace('loading="lazy"', 'decoding="async"')
        source = SOURCE.search(eager)
        if source is None:
            return eager
        data = self._data(html.unescape(source[2][1:-1]), size[1] if size else "")
        if data is None:
            return str(pills([UNSHOWN]).markup)
        return f'{eager[: source.start()]}src="{data}"{eager[source.end() :]}'

    def _data(self, source: str, size: str) -> str | None:
        """A picture as the value of a `src`; None if it cannot be shown."""
        if source.startswith("data:image/"):
            return html.escape(source)
        path = (self._folder / unquote(source)).resolve()
        kind = IMAGES.get(path.suffix.lower())
        # Links are resolved first, so that none points outside the folder.
        if kind is None or not path.is_relative_to(self._runs) or not path.is_file():
            raise KairosError(
                f"the report refers to the picture '{source}', which is not an image file in "
                f"{self._runs.name}/: run the analysis notebook again"
            )
        content = path.read_bytes()
        # Scenes in which nothing happens have identical pictures, byte by byte.
        key = (hashlib.sha256(content).digest(), size)
        if key not in self._known:
            self._known[key] = _encoded(content, kind, BUDGETS.get(size))
        return self._known[key]


def _encoded(content: bytes, kind: str, budget: Budget | None) -> str | None:
    """A picture as a data URL, within a budget if given; None if it is not a picture."""
    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            opened = Image.open(io.BytesIO(content), formats=FORMATS)
        with opened:
            # Known from the header alone: nothing has been unpacked yet.
            if opened.width * opened.height > MOST_PIXELS:
                return None
            if budget is not None and len(content) > budget.size_bytes:
                kind, content = "image/jpeg", _shrunk(opened.convert("RGB"), budget)
    except Exception:  # On damaged files Pillow raises all kinds of exceptions.
        return None
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def _shrunk(picture: Image.Image, budget: Budget) -> bytes:
    """A picture as a JPEG within a budget, as good as fits."""
    from PIL import Image

    longest_px = float(budget.longest_px)
    while True:
        picture.thumbnail((round(longest_px), round(longest_px)), Image.Resampling.LANCZOS)
        for quality in QUALITIES:
            written = io.BytesIO()
            picture.save(written, "JPEG", quality=quality, optimize=True)
            if written.tell() <= budget.size_bytes:
                return written.getvalue()
        longest_px = max(picture.size) * SMALLER
