"""Which device models run on: `cpu`, `cuda` (the first GPU), `cuda:1` …, or `auto`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from kairos_lib.errors import KairosError
from kairos_lib.measure import threads
from kairos_lib.measure.provenance import cpu_name, gpus

_absent_allowed: ContextVar[bool] = ContextVar("absent_allowed", default=False)


@contextmanager
def absent_allowed() -> Iterator[None]:
    """Let a device that is not here have a name for the length of a block, if none of its own.

    What is planned in it can run on another machine, where keys that hold a device are made anew.
    """
    token = _absent_allowed.set(True)
    try:
        yield
    finally:
        _absent_allowed.reset(token)


def usual_device() -> str:
    """The first GPU that this process sees and that torch can use, or else the CPU.

    torch is imported only if there is a GPU.
    """
    if not gpus():
        return "cpu"
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def gpu_of(device: str) -> dict[str, Any] | None:
    """Name, memory and driver of a device's GPU, or of the first one that `auto` uses.

    Returns:
        None if it is the CPU.

    Raises:
        KairosError: This process does not see that GPU.
    """
    have = gpus()
    if device == "cpu" or (device == "auto" and not have):
        return None
    number = number_of(device)
    if number >= len(have):
        seen = {0: "no GPU", 1: "one GPU, cuda:0"}.get(len(have), f"{len(have)} GPUs")
        raise KairosError(f"device: {device} is not here: {seen} can be seen; choose another")
    return have[number]


def number_of(device: str) -> int:
    """A device's index among the GPUs that this process sees, from 0."""
    return int(device.partition(":")[2] or 0)


def device_name(device: str, variables: Mapping[str, str] | None = None) -> str:
    """The name of the hardware that a device refers to, as given by its maker.

    Args:
        device: From a model's parameters.
        variables: The environment of the process that it runs in; this one's if left out.

    Raises:
        KairosError: This process does not see that GPU.
    """
    try:
        gpu = gpu_of(device)
    except KairosError:
        if not _absent_allowed.get():
            raise
        return f"{device} of another machine"
    if gpu:
        return str(gpu["name"])
    return f"{cpu_name()} ({threads.title(variables)})"
