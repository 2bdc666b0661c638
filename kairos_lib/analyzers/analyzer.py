"""The interface of an analyzer of base processing.

A new one is one file in this folder, named like the stage, with a class `Analyzer`. It must be
importable without torch: heavy libraries are imported where they are used.
"""

from __future__ import annotations

import importlib
import pkgutil
import re
from abc import ABC, abstractmethod
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from kairos_lib import analyzers
from kairos_lib.analyzers.marks import Box, Mark
from kairos_lib.errors import KairosError, closest
from kairos_lib.media.facts import VideoFacts
from kairos_lib.media.scene import Scene
from kairos_lib.media.video import Frame
from kairos_lib.parameters.settings import Settings
from kairos_lib.parameters.weights import Weights
from kairos_lib.project import ANALYZERS
from kairos_lib.runs.journal import Journal
from kairos_lib.runs.record import Record
from kairos_lib.weights.location import Found

if TYPE_CHECKING:
    from kairos_lib.analyzers.profile import Base
    from kairos_lib.report.page.html import Html

Device = Literal["cpu", "gpu", "io"]
DEFINED = re.compile(r"^(class|from .+ import) Analyzer\b", re.M)
"""Marks a module that holds an analyzer."""


@dataclass(frozen=True)
class Context:
    """The input of a stage."""

    video: Path
    facts: VideoFacts
    profile: Base
    folder: Path
    """Where the stage may write its own files."""
    weights: Found
    transcripts: Path
    """Where paid answers are kept, whatever happens to the run."""
    progress: Callable[[int, int], None] = field(default=lambda done, total: None)

    def scenes(self) -> list[Scene]:
        """The scenes; an hour of video has about six hundred."""
        return list(Journal(self.folder / "scenes.jsonl", Scene))


class Stage(ABC):
    """One analyzer; a new instance for each run.

    Stages run at once as far as their needs allow, each in a thread of its own.
    """

    # Required

    name: ClassVar[str]
    version: ClassVar[int]
    """Raised whenever the same input would give other results: it is part of the stage's key."""
    record: ClassVar[type[Record]]
    """The type of its results, one line each in `<name>.jsonl`."""

    @abstractmethod
    def run(self) -> Iterator[Record]:
        """Yield the results, in order of time."""

    # Optional

    settings: ClassVar[type[Settings]] = Settings
    """Settings that a base profile may have in the section of its name."""
    data_name: ClassVar[str] = ""
    """Name of its results in `base_data.json`; its own name if empty."""
    about_scenes: ClassVar[bool] = True
    """Whether its records are results rather than intermediate data for others, which are neither
    among the findings of scenes nor in `video.json`."""
    heading: ClassVar[str] = ""
    """Heading of its findings in the report's scenes; without one, nothing is shown."""
    nothing: ClassVar[str] = "nothing"
    """Text in the report for a scene in which it found nothing."""
    not_run: ClassVar[str] = "not looked for"
    """Text in the report if it did not run."""
    filter_title: ClassVar[str] = ""
    """Heading of the list of labels that filter the report's scenes; empty for no list."""
    in_pictures: ClassVar[bool] = False
    """Whether its findings are visible in the pictures: the pictures' descriptions then list
    them."""
    needs: ClassVar[tuple[str, ...]] = ()
    """Stages that must be done before `prepare` and `run`."""
    placed: ClassVar[bool] = False
    """Whether its records (with `scene`, and `time_s` or `start_s` and `end_s`) are assigned to
    scenes afterwards. Such a stage need not wait for the scenes."""
    in_each_scene: ClassVar[bool] = False
    """Whether a placed record that lasts over cuts is given to each scene that it lasts into, with
    all of its time; otherwise it is given to the scene that it overlaps most."""
    not_in_key: ClassVar[frozenset[str]] = frozenset()
    """Those of its settings that do not affect its results."""
    files: ClassVar[tuple[str, ...]] = ()
    """Files and folders that it writes in addition to its records."""
    packages: ClassVar[tuple[str, ...]] = ()
    """Packages whose version affects its results: part of its key."""
    device: Device = "cpu"
    """The resource it uses. Stages on the GPU share its memory."""
    memory_mib: int = 0
    """Device memory to reserve for it."""
    load_settings: ClassVar[frozenset[str]] = frozenset()
    """Settings that a loaded model depends on, besides its weights and its device."""
    batch_size: int | None = None
    """Largest batch that has fitted, for a stage that works in batches; before `run` the largest
    that has fitted an earlier video, if one was analyzed with the same loaded model."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self.frames: Iterable[Frame] = ()
        """The frames requested by `frames_per_second`, during `run`."""
        self.model: Any = None
        """The result of `load`, during `run`."""

    @classmethod
    def weights(cls, profile: Base) -> Weights | None:
        """The weights that a profile names for it; called only for a stage that uses any."""
        return None

    @classmethod
    def uses_weights(cls, profile: Base) -> bool:
        """Whether it needs weights with a given profile."""
        return False

    @classmethod
    def remedy(cls, profile: Base) -> str:
        """How to get the weights that a profile names for it, if they are missing."""
        wanted = cls.weights(profile)
        if wanted is not None and wanted.source in ("hub", "url", "package"):
            return f"run `make fetch BASE={profile.name}`"
        return f"see parameters/base/{profile.name}.yaml"

    @classmethod
    def keys(cls, profile: Base, facts: VideoFacts) -> tuple[str, ...]:
        """Environment variables that it needs for a video."""
        return ()

    @classmethod
    def sends(cls, profile: Base, facts: VideoFacts) -> str:
        """Where it sends something of a video, and with which key; empty if nothing is sent."""
        return ""

    def release(self) -> None:
        """Drop its model, which another stage uses now."""
        self.model = None

    @classmethod
    def load(cls, settings: Any, weights: Path, device: str) -> Any:
        """Load its model, which is independent of the video and may be kept for the next one.

        Called if it uses weights. The result is used by one stage at a time.

        Args:
            settings: The profile's section of its name.
            weights: Their location.
            device: `cpu`, `cuda`, or one of several: `cuda:1`.
        """
        raise NotImplementedError(f"{cls.name} uses weights but does not define how to load them")

    # How other modules use its records

    @classmethod
    def prompt_line(cls, records: Sequence[Any]) -> str:
        """A line about a scene for a model's prompt; empty if there is nothing to say.

        Args:
            records: Its own records of that scene.
        """
        return ""

    @classmethod
    def has_prompt_line(cls) -> bool:
        """Whether it contributes to prompts."""
        return cls.answers("prompt_line")

    @classmethod
    def answers(cls, hook: str) -> bool:
        """Whether it says itself what its records are to other modules.

        Args:
            hook: Name of a method of this class, such as `marks`: an analyzer that does not define
                it need not be asked, nor its records read for it.
        """
        own, none = (getattr(kind, hook) for kind in (cls, Stage))
        return getattr(own, "__func__", own) is not none.__func__

    @classmethod
    def scene_data(cls, records: Sequence[Any]) -> Any:
        """Its part of a scene in `base_data.json`: records, or anything JSON can represent."""
        return tuple(records)

    @classmethod
    def fused_data(cls, records: Sequence[Any]) -> dict[str, Any]:
        """Its fields in the fused record of a scene, by name."""
        return {cls.name: tuple(records)}

    @classmethod
    def exported_data(cls, records: Sequence[Any]) -> dict[str, Any]:
        """Its fields of a scene in `kairos export --format json`, by name."""
        return cls.fused_data(records)

    @classmethod
    def from_fused(cls, scene: Mapping[str, Any]) -> list[Any]:
        """Its records from the fused record of a scene: the reverse of `fused_data`."""
        return [cls.record.model_validate(one) for one in scene.get(cls.name, ())]

    @classmethod
    def labels(cls, records: Sequence[Any]) -> list[str]:
        """Labels of a scene for the list of its `filter_title`."""
        return []

    @classmethod
    def view(cls, records: Sequence[Any]) -> str | Html:
        """What the report shows of a scene under its heading; empty if nothing was found.

        Anything that is not HTML already is escaped.
        """
        return cls.prompt_line(records)

    # How a page of a video shows its records

    @classmethod
    def marks(cls, records: Sequence[Any]) -> Sequence[Mark]:
        """Its lane in the timeline, in order of time.

        An analyzer that marks nothing has no lane. Of one that does not define this and has a
        `filter_title`, the labels of the scenes are the lane, each as long as its scene.

        Args:
            records: All of a video.
        """
        return ()

    @classmethod
    def boxes(cls, records: Sequence[Any]) -> Sequence[Box]:
        """What is drawn on pictures.

        Args:
            records: All of a video, or of a scene.
        """
        return ()

    @classmethod
    def figures(cls, records: Sequence[Any]) -> Mapping[str, str]:
        """Key figures of a video: a name in a word or three, and a value with its unit.

        Args:
            records: All of a video.
        """
        return {}

    # For one video

    def skip(self) -> str:
        """Why the stage has nothing to do for this video; empty if it has."""
        return ""

    def silent(self) -> str:
        """Why a stage that listens has nothing to do for this video, if so."""
        return "" if self.context.facts.audio_streams else "the video has no audio stream"

    def fitting(self, wanted: int) -> int:
        """The batch to begin with: as wanted, or smaller if that is known not to fit."""
        return min(wanted, self.batch_size or wanted)

    def frames_per_second(self) -> float | None:
        """How many frames it needs; None for a stage that reads none.

        Infinity means all of them. A stage with frames has no `needs`: it runs while the video is
        decoded for the first and only time.
        """
        return None

    def prepare(self) -> None:
        """Prepare for this video. Stages are prepared one after another, never at once."""


def names() -> list[str]:
    """The existing analyzers: the modules and packages that hold an `Analyzer`.

    None is imported for this.

    Raises:
        KairosError: A folder of custom analyzers does not exist, or two analyzers have the same
        name.
    """
    return sorted(_sources())


@cache
def _sources() -> dict[str, Path]:
    """The file of each analyzer, cached: every scene of a report needs some."""
    for folder in analyzers.OWN_FOLDERS:
        if not Path(folder).is_dir():
            raise KairosError(f"{ANALYZERS} names {folder!r}, which is not a folder")
    found: dict[str, Path] = {}
    for folder in analyzers.__path__:
        for module in pkgutil.iter_modules([folder]):
            path = Path(folder, module.name, "__init__.py" if module.ispkg else "")
            path = path if module.ispkg else path.with_suffix(".py")
            if not DEFINED.search(path.read_text(encoding="utf-8")):
                continue
            if module.name in found:
                raise KairosError(f"two analyzers are called '{module.name}': rename {path}")
            found[module.name] = path
    return found


def find(name: str) -> type[Stage]:
    """The stage with a given name.

    Raises:
        KairosError: There is none, or its file cannot be used.
    """
    if name not in (known := names()):
        raise KairosError(f"unknown stage '{name}': {closest(name, known)}")
    path = _sources()[name]
    try:
        module = importlib.import_module(f"kairos_lib.analyzers.{name}")
    except Exception as error:  # A custom file can fail in any way.
        if path.is_relative_to(Path(__file__).parent):
            raise
        reason = f"{type(error).__name__}: {next(iter(str(error).splitlines()), '')}"
        raise KairosError(f"the analyzer {path} cannot be imported: {reason}") from error
    analyzer: type[Stage] = module.Analyzer
    if analyzer.name != name:
        raise KairosError(f"{path}: its analyzer is called '{analyzer.name}', unlike its file")
    return analyzer


def order(wanted: tuple[str, ...]) -> list[type[Stage]]:
    """The requested stages and all that they need, each after its needs."""
    ordered: dict[str, type[Stage]] = {}

    def add(name: str) -> None:
        if name in ordered:
            return
        stage = find(name)
        for need in stage.needs:
            add(need)
        ordered[name] = stage

    add("scenes")  # All findings are reported by scene.
    for name in wanted:
        add(name)
    return list(ordered.values())


def scene_of(scenes: Sequence[Scene], start_s: float, end_s: float | None = None) -> int:
    """The scene that contains a moment, or that a range overlaps most.

    Anything before the first scene or after the last belongs to the nearest.
    """
    end_s = start_s if end_s is None else end_s

    def overlap_s(scene: Scene) -> float:
        return min(end_s, scene.end_s) - max(start_s, scene.start_s)

    return max(scenes_of(scenes, start_s, end_s), key=overlap_s).index


def scenes_of(scenes: Sequence[Scene], start_s: float, end_s: float) -> Sequence[Scene]:
    """The scenes that a range lasts into: at least one, as for `scene_of`."""
    # Scenes cover the video without gaps, so their ends are in order like their starts.
    first = max(0, bisect_right(scenes, start_s, key=lambda scene: scene.start_s) - 1)
    last = max(first + 1, bisect_left(scenes, end_s, key=lambda scene: scene.start_s))
    return scenes[first:last]
