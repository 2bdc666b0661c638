"""The interface between the engine and a family of vision-language models.

A new family is one file in `families/`, with a class `Family`. The engine knows nothing of
tokenizers or tensors; an adapter knows nothing of videos, batching or run folders.
"""

from __future__ import annotations

import importlib
import pkgutil
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from kairos_lib.errors import KairosError, closest
from kairos_lib.parameters.model import Model
from kairos_lib.vlm.choosing import Choosing
from kairos_lib.vlm.gpu_memory import Peaks
from kairos_lib.vlm.records import Architecture

LARGEST_BATCH = 64
"""Larger batches lose more by waiting for their longest caption than they gain."""


@dataclass(frozen=True)
class Request:
    """One query as given to an adapter."""

    number: int
    """The query's."""
    images: tuple[np.ndarray, ...]
    """RGB frames of shape (height, width, 3), uint8, in order of time."""
    frame_times_s: tuple[float, ...]
    prompt: str
    """What base processing found, a line each, then the question."""
    asked: str = ""
    """The question alone, with which the prompt ends; if left out, the whole prompt."""

    @property
    def question(self) -> str:
        """The part that is never cut."""
        return self.asked or self.prompt

    @property
    def context(self) -> str:
        """The lines before the question."""
        return self.prompt.removesuffix(self.question)

    @property
    def frame_size_px(self) -> tuple[int, int]:
        """Width and height of a frame, the same for all frames of a request."""
        height, width = self.images[0].shape[:2]
        return width, height


@dataclass(frozen=True)
class Prepared:
    """A batch of requests as given to the model."""

    inputs: Any
    prompt_tokens: tuple[int, ...]
    """For each request, without padding, visual tokens included."""
    visual_tokens: tuple[int, ...]
    left_out_chars: tuple[int, ...] = ()
    """Of each request's context, for want of room; none at all where all of it is there."""
    numbers: tuple[int, ...] = ()
    """Of the requests' queries."""


@dataclass(frozen=True)
class Generated:
    """Results of a batch."""

    texts: tuple[str, ...]
    new_tokens: tuple[int, ...]
    """For each request, the end-of-text token included: it takes a step like any other."""
    truncated: tuple[bool, ...]
    prefill_s: float
    """Until the scores of the first token, device-synchronised."""
    decode_s: float
    """From then until the last token."""
    prompt_tokens: tuple[int, ...] = ()
    """Of each request, where that is not known before."""
    tokens: tuple[tuple[int, ...], ...] = ()
    """Of each text, its end included; only where the adapter's `choosing` is set."""
    log_probabilities: tuple[tuple[float, ...], ...] = ()
    """Of each of these tokens, at temperature 1."""
    errors: tuple[str, ...] = ()
    """Why a request failed, empty if it did not; empty altogether if none can fail."""
    unanswered: frozenset[int] = frozenset()
    """Indices of requests to ask again; the captions of the others are kept."""
    reason: str = ""
    """Why some have no answer; captioning ends with it."""


class OutOfMemoryError(Exception):
    """The device has no room for a batch of this size."""


class SceneError(KairosError):
    """A request fails because of its own content; others may succeed."""


class Adapter(ABC):
    """One family of models, with one of its models loaded."""

    # Required

    version: ClassVar[int]
    """Raised whenever the same input would give other captions: it is part of a run's key."""

    @abstractmethod
    def load(self) -> None:
        """Bring the weights onto the device."""

    @abstractmethod
    def prepare(self, requests: list[Request]) -> Prepared:
        """Turn frames and text into tensors on the device. May run beside `generate`.

        Raises:
            SceneError: One of them cannot be converted.
        """

    @abstractmethod
    def generate(self, prepared: Prepared, max_new_tokens: int | None = None) -> Generated:
        """Write the captions of a batch.

        Args:
            prepared: The batch.
            max_new_tokens: Overrides the model's own limit, for warming up.

        Raises:
            OutOfMemoryError: The batch is too large for the device.
            SceneError: The model cannot process the content of one of the requests.
        """

    # Optional

    choosing: Choosing | None = None
    """How tokens are chosen, whose probabilities are then noted; the likeliest where it is none."""

    def __init__(self, settings: Model, weights: Path) -> None:
        self.settings = settings
        self.weights = weights

    def tokens_of(self, tokens: Sequence[int], characters: tuple[int, int]) -> range:
        """The places of the tokens that stand for some characters of a text.

        Args:
            tokens: Of the whole text.
            characters: From the first one to behind the last.
        """
        return range(0)

    def synchronise(self) -> None:
        """Wait until the device has finished all its work."""

    def release_memory(self) -> None:
        """Give back what is kept for the next batch, where others may need it."""

    def reset_memory_peaks(self) -> None:
        """Reset the peak memory counters."""

    def memory_peaks(self) -> Peaks | None:
        """Peak GPU memory since the last reset; None if nothing counts it."""
        return None

    def room(self, prepared: Prepared) -> int:
        """Estimate how many requests like a prepared one fit at once into the available memory."""
        return LARGEST_BATCH

    def placement(self) -> tuple[str, ...]:
        """The devices that hold the weights: `cuda:0`, `cpu`, `disk`."""
        return ()

    def parameters_millions(self) -> float:
        """Number of parameters of the loaded model."""
        return 0.0

    def left_out(self) -> tuple[str, ...]:
        """Generation settings of the checkpoint that are not used, as `name: value`."""
        return ()

    def architecture(self) -> Architecture | None:
        """The architecture of the loaded model, if it can be determined."""
        return None


def families() -> list[str]:
    """The families that exist."""
    folder = Path(__file__).parent / "families"
    return sorted(module.name for module in pkgutil.iter_modules([str(folder)]))


def find_family(name: str) -> type[Adapter]:
    """The adapter of a family.

    Raises:
        KairosError: There is none of that name.
    """
    if name not in families():
        raise KairosError(f"unknown model family '{name}': {closest(name, families())}")
    module = importlib.import_module(f"kairos_lib.vlm.families.{name}")
    adapter: type[Adapter] = module.Family
    return adapter
