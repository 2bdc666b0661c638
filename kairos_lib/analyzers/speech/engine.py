"""The interface of speech-to-text engines, and how one is found by name.

A new one is a class in this folder plus its name in two places: `ENGINES` and the settings.
"""

from __future__ import annotations

import importlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

from kairos_lib.analyzers.speech.segment import Segment
from kairos_lib.analyzers.speech.settings import SpeechSettings
from kairos_lib.analyzers.vad import Span

UNASSIGNED = -1
"""Placeholder for a segment's scene: an engine knows no scenes."""

ENGINES = {
    "faster-whisper": "kairos_lib.analyzers.speech.local:FasterWhisper",
    "openai": "kairos_lib.analyzers.speech.api:OpenAI",
    "azure": "kairos_lib.analyzers.speech.api:Azure",
}
"""By name in the settings; imported on demand."""


@dataclass(frozen=True)
class Setup:
    """What an engine is made from."""

    settings: SpeechSettings
    weights: Path | None
    """Location of its weights; None for an engine without weights."""
    transcripts: Path
    """Folder of paid transcripts, shared by all runs of a project."""


class Engine(ABC):
    """Turns speech into text; a new instance for each recording."""

    # Required

    @abstractmethod
    def transcribe(
        self, wav: Path, spans: list[Span], progress: Callable[[int, int], None]
    ) -> Iterator[Segment]:
        """Yield the transcript in order of time, without scenes.

        Args:
            wav: The whole audio, 16 kHz, mono, 16 bits.
            spans: Parts with voice, in order; at least one.
            progress: Called with the number of parts done and in total.

        Raises:
            KairosError: It failed; the message says why and what to do.
        """

    # Optional

    device: ClassVar[Literal["gpu", "io"]] = "io"
    """The resource it uses: the device, or only the network."""
    memory_mib: ClassVar[int] = 0
    """Device memory to reserve for it."""
    keys: ClassVar[tuple[str, ...]] = ()
    """Environment variables that it needs."""
    batch_size: int | None = None
    """Largest batch that has fitted, for an engine that works in batches."""

    @classmethod
    def sends(cls) -> str:
        """Where recordings are sent, and with which key; empty if nothing leaves this machine."""
        return ""

    def __init__(self, setup: Setup) -> None:
        self.setup = setup
        self.settings = setup.settings
        self.model: Any = None
        """The result of `load`."""

    @classmethod
    def load(cls, weights: Path, device: str) -> Any:
        """Load its model, for an engine with weights of its own; it is kept in `model`."""
        return None

    def release(self) -> None:
        """Drop its model."""
        self.model = None

    def prepare(self) -> None:
        """Load libraries; called once, before `transcribe`."""


def find(name: str) -> type[Engine]:
    """The engine with a name from the settings."""
    module, _, kind = ENGINES[name].partition(":")
    engine: type[Engine] = getattr(importlib.import_module(module), kind)
    return engine
