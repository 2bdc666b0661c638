"""What a device can do at best, measured, and how much of it captioning reached."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from kairos_lib.vlm.loading import cached_values
from kairos_lib.vlm.records import Caption

TRIES = 5
COPIED_BYTES = {"cpu": 1 << 28, "cuda": 1 << 31}
SIDE = {"cpu": 2048, "cuda": 8192}
"""Of the square matrices that are multiplied."""


@dataclass(frozen=True)
class Roofline:
    """Bandwidth of memory and rate of arithmetic."""

    bytes_per_s: float
    flops: float

    @classmethod
    def measured(cls, device: str, dtype: str) -> Roofline:
        """Of this machine, now: the median of several tries."""
        import torch

        kind = getattr(torch, dtype)
        source = torch.ones(COPIED_BYTES[device], dtype=torch.uint8, device=device)
        target = torch.empty_like(source)
        side = SIDE[device]
        one = torch.randn(side, side, device=device, dtype=kind)

        def wait() -> None:
            if device == "cuda":
                torch.cuda.synchronize()

        copied_s = _median_s(lambda: target.copy_(source), wait)
        multiplied_s = _median_s(lambda: one @ one, wait)
        # Read once and written once.
        return cls(2 * len(source) / copied_s, 2 * side**3 / multiplied_s)


def _median_s(work: Callable[[], Any], wait: Callable[[], None]) -> float:
    work()
    wait()
    times_s = []
    for _ in range(TRIES):
        started = time.perf_counter()
        work()
        wait()
        times_s.append(time.perf_counter() - started)
    return statistics.median(times_s)


def shares(
    limits: Roofline, model: Any, captions: list[Caption], patches: float
) -> tuple[float, float]:
    """Least time by time taken, of decoding and of prefill, over one run's captions.

    Args:
        limits: Of the device.
        model: The network, as it is loaded: packed weights count by their bytes.
        captions: Of the offline scenario; their times are even shares of their batches'.
        patches: Of pictures, that the vision tower sees of each scene.
    """
    language, tower = _parts(model)
    each = cached_values(model.config) * model.dtype.itemsize
    decode_s = sum(caption.timing.decode_s for caption in captions)
    prefill_s = sum(caption.timing.prefill_s for caption in captions)
    moved = 0.0
    operations = 0.0
    for caption in captions:
        steps = caption.new_tokens - 1
        held = caption.prompt_tokens + caption.new_tokens / 2
        moved += steps * (language.bytes / caption.batch_size + held * each)
        operations += 2.0 * language.count * caption.prompt_tokens + 2.0 * tower.count * patches
    return moved / limits.bytes_per_s / decode_s, operations / limits.flops / prefill_s


@dataclass
class _Part:
    """Some of a model's weights, without those that are looked up and not multiplied."""

    count: int = 0
    bytes: int = 0


def _parts(model: Any) -> tuple[_Part, _Part]:
    """The language model with its output, and all that sees pictures."""
    import torch

    language, tower = _Part(), _Part()
    of_language = {id(p) for p in model.get_decoder().parameters()}
    of_language |= {id(p) for p in model.get_output_embeddings().parameters()}
    looked_up = {
        id(module.weight) for module in model.modules() if isinstance(module, torch.nn.Embedding)
    } - {id(p) for p in model.get_output_embeddings().parameters()}
    for parameter in model.parameters():
        if id(parameter) in looked_up:
            continue
        part = language if id(parameter) in of_language else tower
        # Packed weights of 4 bits have two to a byte.
        packed = 2 if parameter.dtype == torch.uint8 else 1
        part.count += parameter.numel() * packed
        part.bytes += parameter.numel() * parameter.element_size()
    return language, tower
