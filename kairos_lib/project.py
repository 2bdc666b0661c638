"""Locations: the folders of one checkout. Knows nothing of what is in them."""

from __future__ import annotations

import hashlib
import os
import re
import unicodedata
from dataclasses import dataclass
from pathlib import Path

from kairos_lib.errors import KairosError

ANALYZERS = "KAIROS_ANALYZERS"
"""Environment variable: folders with custom analyzers, separated as in `PATH`."""


@dataclass(frozen=True)
class Project:
    """The folders of a project, all below its root."""

    root: Path

    @classmethod
    def find(cls, start: Path | None = None) -> Project:
        """Find the project around a folder, as git finds its repository.

        `KAIROS_ROOT` in the environment names the root directly.

        Raises:
            KairosError: There is no folder with `parameters/` and `notebooks/` at or above it.
        """
        named = os.environ.get("KAIROS_ROOT")
        if named:
            return cls(Path(named).resolve())
        here = (start or Path.cwd()).resolve()
        for folder in (here, *here.parents):
            if (folder / "parameters").is_dir() and (folder / "notebooks").is_dir():
                return cls(folder)
        raise KairosError(
            f"no Kairos project at or above {here}: run this inside a checkout, "
            "or set KAIROS_ROOT to one"
        )

    @property
    def parameters(self) -> Path:
        """The YAML files: videos, models, base profiles and suites."""
        return self.root / "parameters"

    @property
    def notebooks(self) -> Path:
        """The notebooks as they are in git, without outputs."""
        return self.root / "notebooks"

    @property
    def runs(self) -> Path:
        """Computed results."""
        return self.root / "runs"

    @property
    def reports(self) -> Path:
        """Files for people to read."""
        return self.root / "reports"

    def relative(self, path: Path) -> str:
        """A path as shown and recorded: relative to the root if it is below it."""
        try:
            return str(path.resolve().relative_to(self.root))
        except (ValueError, OSError, RuntimeError):  # Elsewhere, or a broken link.
            return str(path)


def exists(path: str | Path) -> bool:
    """Whether a path exists; False for a name that the system itself refuses."""
    try:
        return Path(path).exists()
    except (OSError, RuntimeError):  # Too long, or a link that leads back to itself.
        return False


SLUG_CHARS = 60


def slug(text: str) -> str:
    """Make a name that is safe as a folder on any system and in a URL.

    Letters of other scripts are kept as far as they fold to ASCII. A text that loses letters, or
    its end, gets a few digits of its hash, so that different texts keep different names.
    """
    letters = [c for c in unicodedata.normalize("NFKD", text) if c.isalnum()]
    folded = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    kept = re.sub(r"[^A-Za-z0-9]+", "-", folded).strip("-").lower()
    if len(kept) <= SLUG_CHARS and all(letter.isascii() for letter in letters) and kept:
        return kept
    digits = hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:6]
    return f"{kept[:SLUG_CHARS] or 'video'}-{digits}"
