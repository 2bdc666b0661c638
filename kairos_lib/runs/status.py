"""How far a notebook is, and how it ended."""

from __future__ import annotations

from typing import Literal

from kairos_lib.runs.record import Record

Reason = Literal["error", "timeout", "kernel_died", "oom", "interrupted"]


class Status(Record):
    """How a notebook's run ended; written last, and only by its runner."""

    state: Literal["done", "failed"]
    reason: Reason | None = None
    message: str = ""
    started_at: str = ""
    """UTC, ISO 8601."""
    ended_at: str = ""
    time_s: float = 0.0
    """The whole notebook, kernel start included."""
    python: str = ""
    """The interpreter that the kernel ran in."""
    slots: int = 1
    """How many notebooks could run at once."""
    vram_kept_mib: float | None = None
    """GPU memory held after the kernel had ended, beyond that held before; None if there is no
    GPU."""


class Progress(Record):
    """How far a notebook is, for progress displays."""

    step: str
    done: int
    total: int
