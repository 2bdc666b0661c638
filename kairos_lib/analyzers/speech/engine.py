"""What an engine of speech to text is, and how one is found by its name.

A new one is a class here and there plus its name in two places: `ENGINES` and the settings.
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
"""Stands for the scene of a segment: an engine knows no scenes."""

ENGINES = {
    "faster-whisper": "kairos_lib.analyzers.speech.local:FasterWhisper",
    "openai": "kairos_lib.analyzers.speech.api:OpenAI",
    "azure": "kairos_lib.analyzers.speech.api:Azure",
}
"""By the name in the settings; imported when it is asked for."""


@dataclass(frozen=True)
class Setup:
    """What an engine is made from."""

    settings: SpeechSettings
    weights: Path | None
    """Where its weights lie; none for an engine that has none of its own."""
    transcripts: Path
    """Folder of what has been paid for, shared by all runs of a project."""


class Engine(ABC):
    """Turns speech into text; made anew for each recording."""

    # Required

    @abstractmethod
    def transcribe(
        self, wav: Path, spans: list[Span], progress: Callable[[int, int], None]
    ) -> Iterator[Segment]:
        """Give what is said, in order of time, with no scene assigned.

        Args:
            wav: The whole audio, 16 kHz, mono, 16 bits.
            spans: Where there is a voice in it, in order; at least one.
            progress: Told how many of how many parts are done.

        Raises:
            KairosError: It cannot be done; one line says why and what to do.
        """

    # Optional

    device: ClassVar[Literal["gpu", "io"]] = "io"
    """What it keeps busy: the device, or no more than the line to elsewhere."""
    memory_mib: ClassVar[int] = 0
    """Device memory to reserve for it."""
    keys: ClassVar[tuple[str, ...]] = ()
    """Environment variables that it cannot do without."""
    batch_size: int | None = None
    """Largest batch that has fitted, of an engine that works in batches."""

    @classmethod
    def sends(cls) -> str:
        """Where recordings are sent, and with what; empty where nothing leaves this machine."""
        return ""

    def __init__(self, setup: Setup) -> None:
        self.setup = setup
        self.settings = setup.settings
        self.model: Any = None
        """What `load` gave."""

    @classmethod
    def load(cls, weights: Path, device: str) -> Any:
        """Load its model, of an engine that has weights of its own; it is kept in `model`."""
        return None

    def release(self) -> None:
        """Let go of its model."""
        self.model = None

    def prepare(self) -> None:
        """Load libraries; called once, before `transcribe`."""


def find(name: str) -> type[Engine]:
    """The engine of a name that the settings allow."""
    module, _, kind = ENGINES[name].partition(":")
    engine: type[Engine] = getattr(importlib.import_module(module), kind)
    return engine
