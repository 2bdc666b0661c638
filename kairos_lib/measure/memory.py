"""Out-of-memory errors, and returning memory that is kept for no use."""

from __future__ import annotations

import ctypes
import sys

M_ARENA_MAX = -8
"""glibc's name for it in malloc.h."""
ARENAS = 2


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error means that the device, or the machine, ran out of memory."""
    text = str(error).lower()
    return isinstance(error, MemoryError) or "out of memory" in text or "can't allocate" in text


def free_cached_memory() -> None:
    """Release GPU memory cached by torch, so that a smaller batch can use all of it."""
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        torch.cuda.empty_cache()


def share_arenas() -> None:
    """Make all threads of this process allocate from the same two arenas.

    glibc gives every thread an arena of its own, up to eight for each core, and memory freed in one
    is seldom returned. Stages and decoders in separate threads would hold more and more of it, the
    longer the video. Other C libraries have no such arenas, and no such call.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is not None:
        mallopt(M_ARENA_MAX, ARENAS)
