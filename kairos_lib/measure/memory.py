"""Memory of a device that has run out."""

from __future__ import annotations

import sys


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error means that the device, or the machine, ran out of memory."""
    text = str(error).lower()
    return isinstance(error, MemoryError) or "out of memory" in text or "can't allocate" in text


def free_cached_memory() -> None:
    """Give back what torch keeps of a GPU's memory, so that a smaller batch finds it whole."""
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        torch.cuda.empty_cache()
