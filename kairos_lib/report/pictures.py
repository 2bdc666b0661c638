"""Pictures put into a page. Knows nothing of what they show."""

from __future__ import annotations

import base64
import hashlib
import html
import io
import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from kairos_lib.errors import KairosError
from kairos_lib.project import Project

IMAGES = {
    ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".png": "image/png", ".webp": "image/webp",
    ".gif": "image/gif",
}  # fmt: skip
# A tag's quoted values may hold a `>`.
IMAGE_TAG = re.compile(r"""<img\b(?:[^>"']|"[^"]*"|'[^']*')*>""", re.IGNORECASE)
SOURCE = re.compile(r"""\b(src)\s*=\s*("[^"]*"|'[^']*')""", re.IGNORECASE)
SIZE = re.compile(r"""\bdata-size="(\w+)\"""")


@dataclass(frozen=True)
class Budget:
    """What a thumbnail may take."""

    longest_px: int
    size_bytes: int


BUDGETS = {"large": Budget(336, 11_000), "small": Budget(168, 3_600)}
"""By `data-size`. With both of them, 300 scenes take less than 6 MB of a page, as base64."""
QUALITIES = (80, 72, 64, 56, 48, 40)
"""Of JPEG. Below the last of them a picture looks better with fewer pixels."""
SMALLER = 0.85


class Pictures:
    """Puts pictures into a page, each made smaller once.

    Args:
        project: Its runs folder is the only one that pictures may come from.
        folder: What their sources are relative to.
    """

    def __init__(self, project: Project, folder: Path) -> None:
        self._runs = project.runs.resolve()
        self._folder = folder
        self._known: dict[tuple[bytes, str], str] = {}

    def inlined(self, page: str) -> str:
        """A page with the pictures themselves in it.

        Raises:
            KairosError: It refers to a picture that is not in the runs folder.
        """
        return IMAGE_TAG.sub(self._tag, page)

    def _tag(self, tag: re.Match[str]) -> str:
        size = SIZE.search(tag[0])
        # In the page there is nothing to wait for, and what a browser puts off it may not print.
        eager = tag[0].replace('loading="lazy"', 'decoding="async"')
        return SOURCE.sub(lambda src: self._source(src, size[1] if size else ""), eager, count=1)

    def _source(self, attribute: re.Match[str], size: str) -> str:
        source = html.unescape(attribute[2][1:-1])
        if source.startswith("data:image/"):
            return attribute[0]
        path = (self._folder / unquote(source)).resolve()
        kind = IMAGES.get(path.suffix.lower())
        # Links are followed first, so that none leads out of the folder.
        if kind is None or not path.is_relative_to(self._runs) or not path.is_file():
            raise KairosError(
                f"the report refers to the picture '{source}', which is not an image file in "
                f"{self._runs.name}/: run the analysis notebook again"
            )
        content = path.read_bytes()
        # Nothing happens in some scenes: their pictures are the same, byte by byte.
        key = (hashlib.sha256(content).digest(), size)
        if key not in self._known:
            budget = BUDGETS.get(size)
            if budget is not None and len(content) > budget.size_bytes:
                kind, content = "image/jpeg", shrunk(path, budget)
            self._known[key] = f"data:{kind};base64,{base64.b64encode(content).decode()}"
        return f'src="{self._known[key]}"'


def shrunk(path: Path, budget: Budget) -> bytes:
    """A picture as a JPEG within a budget, as good as fits.

    Raises:
        KairosError: The file is no picture.
    """
    from PIL import Image

    try:
        with Image.open(path) as opened:
            picture = opened.convert("RGB")
    # ultralytics, where a process has imported it, wants a decoder of HEIF for what is no picture.
    except (OSError, SyntaxError, ImportError) as error:
        raise KairosError(f"{path}: cannot be read as a picture: run with FRESH=1") from error
    longest_px = float(budget.longest_px)
    while True:
        picture.thumbnail((round(longest_px), round(longest_px)), Image.Resampling.LANCZOS)
        for quality in QUALITIES:
            written = io.BytesIO()
            picture.save(written, "JPEG", quality=quality, optimize=True)
            if written.tell() <= budget.size_bytes:
                return written.getvalue()
        longest_px = max(picture.size) * SMALLER
