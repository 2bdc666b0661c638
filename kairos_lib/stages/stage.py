"""What an analyzer of base processing is.

A new one is one file in this folder, named as the stage, with a class `Analyzer`. It can be
imported without torch: heavy libraries are imported where they are used.
"""

from __future__ import annotations

import importlib
import pkgutil
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Literal

from kairos_lib.errors import KairosError, closest
from kairos_lib.media.video import Frame
from kairos_lib.records import Record, Scene, VideoFacts
from kairos_lib.runs import Journal
from kairos_lib.settings import Base, Weights
from kairos_lib.weights import Found

NOT_STAGES = {"stage", "graph", "session"}


@dataclass(frozen=True)
class Context:
    """What a stage works on."""

    video: Path
    facts: VideoFacts
    profile: Base
    folder: Path
    """Where the stage may write files of its own."""
    weights: Found
    progress: Callable[[int, int], None] = field(default=lambda done, total: None)

    def results(self, stage: str, kind: type[Record]) -> Journal[Record]:
        """What a stage that this one needs has found."""
        return Journal(self.folder / f"{stage}.jsonl", kind)

    def scenes(self) -> list[Scene]:
        """The scenes; an hour of video has some six hundred."""
        return list(Journal(self.folder / "scenes.jsonl", Scene))


class Stage(ABC):
    """One analyzer, made anew for each run."""

    # Required

    name: ClassVar[str]
    version: ClassVar[int]
    """Raised whenever the same input would give other results: it is part of a run's key."""
    record: ClassVar[type[Record]]
    """What it yields, one line each in `<name>.jsonl`."""

    @abstractmethod
    def run(self) -> Iterator[Record]:
        """Give the results, in order of time."""

    # Optional

    needs: ClassVar[tuple[str, ...]] = ()
    """Stages that must be done before `run`."""
    device: ClassVar[Literal["cpu", "gpu", "io"]] = "cpu"
    """What it keeps busy: stages of different kinds can run side by side."""
    memory_mib: ClassVar[int] = 0
    """Device memory to reserve for it."""

    def __init__(self, context: Context) -> None:
        self.context = context

    @classmethod
    def weights(cls, profile: Base) -> Weights | None:
        """The weights it uses; asked only of a stage with `needs_weights`."""
        return None

    needs_weights: ClassVar[bool] = False

    def skip(self) -> str:
        """Why this video gives the stage nothing to do; empty where it does."""
        return ""

    def frames_per_second(self) -> float | None:
        """How many frames it wants to `look` at; none for a stage that looks at none.

        Infinity stands for all of them.
        """
        return None

    def look(self, frame: Frame) -> None:
        """Take the next frame of the one pass over the video; comes before `run`."""


def names() -> list[str]:
    """The stages that exist."""
    here = str(Path(__file__).parent)
    return sorted(m.name for m in pkgutil.iter_modules([here]) if m.name not in NOT_STAGES)


def find(name: str) -> type[Stage]:
    """The stage of a name.

    Raises:
        KairosError: There is none.
    """
    if name not in names():
        raise KairosError(f"unknown stage '{name}': {closest(name, names())}")
    module = importlib.import_module(f"kairos_lib.stages.{name}")
    analyzer: type[Stage] = module.Analyzer
    return analyzer


def scene_of(scenes: list[Scene], start_s: float, end_s: float | None = None) -> int:
    """The scene that holds a moment, or that a range overlaps most."""
    end_s = start_s if end_s is None else end_s

    def overlap(scene: Scene) -> tuple[float, float]:
        shared = min(end_s, scene.end_s) - max(start_s, scene.start_s)
        # A moment overlaps nothing for any length of time: the half-open range decides.
        return shared, float(scene.start_s <= start_s < scene.end_s)

    return max(scenes, key=overlap).index
