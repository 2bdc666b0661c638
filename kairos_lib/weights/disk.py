"""The disk that downloaded weights are kept on: where, and whether there is room for more."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from kairos_lib.errors import KairosError

DISK_RESERVE_BYTES = 1 << 30


def downloads() -> Path:
    """Where what was downloaded by address or from packages is kept, for all projects."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "kairos"


def check_room(folder: Path, wanted_bytes: int) -> None:
    """Check that a download fits on the disk with 1 GiB to spare.

    Raises:
        KairosError: It does not.
    """
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    free = shutil.disk_usage(existing).free
    if free < wanted_bytes + DISK_RESERVE_BYTES:
        raise KairosError(
            f"the download takes {wanted_bytes / 1e9:.1f} GB and {existing} has "
            f"{free / 1e9:.1f} GB free: make room, or set HF_HOME (for a hub's "
            "files) or XDG_CACHE_HOME to a folder of a larger disk"
        )
