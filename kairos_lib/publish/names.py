"""Names of files: safe on any system, and unique."""

from __future__ import annotations

import hashlib
import re

from kairos_lib.parameters.settings import NAME
from kairos_lib.project import slug

NAME_CHARACTERS = 80
"""Limit for a video or a model in a file's name: systems allow 255 bytes for the whole name."""


class FileNames:
    """Names of files in one folder; none is given twice or points elsewhere."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def take(self, *parts: str) -> str:
        """A name made of parts, with a few digits added if it is taken already."""
        *parts_before, ending = parts
        name = ".".join([*map(_safe, parts_before), ending])
        if name.casefold() in self._taken:  # Many systems treat A and a as the same.
            digits = hashlib.sha256("\0".join(parts).encode()).hexdigest()[:6]
            name = ".".join([*map(_safe, parts_before), digits, ending])
        self._taken.add(name.casefold())
        return name


def _safe(text: str) -> str:
    """Make a part of a file name safe on any system."""
    if len(text) <= NAME_CHARACTERS and re.fullmatch(NAME, text):
        return text
    return slug(text)
