"""Findings of base processing, scene by scene, read from their files on demand.

Memory does not grow with the content of the scenes: only the file offset of each scene's records is
kept, eight bytes for each.
"""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from kairos_lib.analyzers.analyzer import Stage, find, names
from kairos_lib.media.scene import Scene
from kairos_lib.runs.journal import Journal
from kairos_lib.runs.record import Record

R = TypeVar("R", bound=Record)
ALWAYS = ("speech", "sounds", "objects")
"""Analyzers whose results are in every file, even if there are none."""


@dataclass(frozen=True)
class SceneFindings:
    """Findings of base processing in one scene."""

    scene: Scene
    records: Mapping[str, Sequence[Record]]
    """By the names of the analyzers that ran and that have results by scene."""

    def of(self, name: str) -> Sequence[Any]:
        """An analyzer's findings; empty if it did not run."""
        return self.records.get(name, ())

    @property
    def by_analyzer(self) -> Iterator[tuple[type[Stage], Sequence[Any]]]:
        """Each analyzer with its findings."""
        return ((find(name), found) for name, found in self.records.items())


class ByScene(Generic[R]):
    """A journal's records by scene, read on demand."""

    def __init__(self, path: Path, kind: type[R]) -> None:
        self._journal = Journal(path, kind)
        self._offsets: dict[int, array[int]] = defaultdict(lambda: array("q"))
        for offset, record in self._journal.placed():
            self._offsets[getattr(record, "scene")].append(offset)  # noqa: B009

    def __getitem__(self, scene: int) -> list[R]:
        """The records of a scene, in the order they were written."""
        return self._journal.at(self._offsets[scene]) if scene in self._offsets else []


class VideoFindings:
    """The results of one base run, by scene.

    Args:
        folder: The run's folder.
    """

    def __init__(self, folder: Path) -> None:
        self.scenes = list(Journal(folder / "scenes.jsonl", Scene))
        there = {path.stem for path in folder.glob("*.jsonl")} & {*names()} | {*ALWAYS}
        kinds = {name: find(name) for name in sorted(there, key=_place)}
        self._found = {
            name: ByScene(folder / f"{name}.jsonl", kind.record)
            for name, kind in kinds.items()
            if "scene" in kind.record.model_fields and kind.about_scenes
        }

    @property
    def names(self) -> tuple[str, ...]:
        """The analyzers that have results by scene."""
        return tuple(self._found)

    def of(self, scene: Scene) -> SceneFindings:
        """All findings in a scene."""
        return SceneFindings(
            scene, {name: found[scene.index] for name, found in self._found.items()}
        )

    def __iter__(self) -> Iterator[SceneFindings]:
        """Scene by scene."""
        return map(self.of, self.scenes)


def _place(name: str) -> tuple[int, str]:
    """Sort key of an analyzer in files: those in every file first, then by name."""
    return (ALWAYS.index(name) if name in ALWAYS else len(ALWAYS), name)
