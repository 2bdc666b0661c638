"""What an analyzer of base processing is.

A new one is one file in this folder, named as the stage, with a class `Analyzer`. It can be
imported without torch: heavy libraries are imported where they are used.
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
"""How a module says that it holds an analyzer."""


@dataclass(frozen=True)
class Context:
    """What a stage works on."""

    video: Path
    facts: VideoFacts
    profile: Base
    folder: Path
    """Where the stage may write files of its own."""
    weights: Found
    transcripts: Path
    """Where answers that were paid for are kept, whatever becomes of the run."""
    progress: Callable[[int, int], None] = field(default=lambda done, total: None)

    def scenes(self) -> list[Scene]:
        """The scenes; an hour of video has some six hundred."""
        return list(Journal(self.folder / "scenes.jsonl", Scene))


class Stage(ABC):
    """One analyzer, made anew for each run.

    Stages run at once as far as their needs allow, each in a thread of its own.
    """

    # Required

    name: ClassVar[str]
    version: ClassVar[int]
    """Raised whenever the same input would give other results: it is part of the stage's key."""
    record: ClassVar[type[Record]]
    """What it yields, one line each in `<name>.jsonl`."""

    @abstractmethod
    def run(self) -> Iterator[Record]:
        """Give the results, in order of time."""

    # Optional

    settings: ClassVar[type[Settings]] = Settings
    """What a base profile may say in the section of its name."""
    data_name: ClassVar[str] = ""
    """What its results are called in `base_data.json`; by its own name where nothing is said."""
    about_scenes: ClassVar[bool] = True
    """Whether its records, where they have a `scene`, are results rather than means to others'."""
    heading: ClassVar[str] = ""
    """Over what the report shows of a scene; nothing is shown where it has none."""
    nothing: ClassVar[str] = "nothing"
    """What the report says of a scene in which it found nothing."""
    not_run: ClassVar[str] = "not looked for"
    """What the report says there where it did not run."""
    filter_title: ClassVar[str] = ""
    """Of the list by whose labels the report's scenes can be filtered; none where it is empty."""
    in_pictures: ClassVar[bool] = False
    """Whether what it finds is to be seen in pictures: their descriptions then say it."""
    needs: ClassVar[tuple[str, ...]] = ()
    """Stages that must be done before `prepare` and `run`."""
    placed: ClassVar[bool] = False
    """Whether its records (with `scene`, and `time_s` or `start_s` and `end_s`) are given their
    scene afterwards. Such a stage need not wait for the scenes."""
    not_in_key: ClassVar[frozenset[str]] = frozenset()
    """Settings of its own that its results do not depend on."""
    files: ClassVar[tuple[str, ...]] = ()
    """Files and folders that it writes beside its records."""
    packages: ClassVar[tuple[str, ...]] = ()
    """Packages whose version its results depend on: part of its key."""
    device: Device = "cpu"
    """What it keeps busy. Stages on the GPU share its memory."""
    memory_mib: int = 0
    """Device memory to reserve for it."""
    load_settings: ClassVar[frozenset[str]] = frozenset()
    """Settings that a loaded model depends on, beside its weights and its device."""
    batch_size: int | None = None
    """Largest batch that has fitted, of a stage that works in batches."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self.frames: Iterable[Frame] = ()
        """The frames asked for by `frames_per_second`, while `run` is going on."""
        self.model: Any = None
        """What `load` gave, while `run` is going on."""

    @classmethod
    def weights(cls, profile: Base) -> Weights | None:
        """The weights that a profile names for it; asked only of a stage that uses any."""
        return None

    @classmethod
    def uses_weights(cls, profile: Base) -> bool:
        """Whether it cannot run without weights, going by a profile."""
        return False

    @classmethod
    def remedy(cls, profile: Base) -> str:
        """How to get the weights that a profile names for it, where they are not here."""
        wanted = cls.weights(profile)
        if wanted is not None and wanted.source in ("hub", "url"):
            return f"run `make fetch BASE={profile.name}`"
        return f"see parameters/base/{profile.name}.yaml"

    @classmethod
    def keys(cls, profile: Base, facts: VideoFacts) -> tuple[str, ...]:
        """Environment variables that it cannot do without for a video."""
        return ()

    @classmethod
    def sends(cls, profile: Base, facts: VideoFacts) -> str:
        """Where it sends something of a video, and with which key; empty where nothing is sent."""
        return ""

    def release(self) -> None:
        """Let go of its model, which is somebody else's now."""
        self.model = None

    @classmethod
    def load(cls, settings: Any, weights: Path, device: str) -> Any:
        """Load its model, which knows no video and may be kept for the next one.

        Called where it uses weights. What it gives is used by one at a time.

        Args:
            settings: The profile's section of its name.
            weights: Where they lie.
            device: `cpu`, `cuda`, or one of several: `cuda:1`.
        """
        raise NotImplementedError(f"{cls.name} uses weights and does not say how to load them")

    # What others make of its records

    @classmethod
    def prompt_line(cls, records: Sequence[Any]) -> str:
        """What a model may be told of a scene, in one line; empty where there is nothing to tell.

        Args:
            records: Its own, of that scene.
        """
        return ""

    @classmethod
    def has_prompt_line(cls) -> bool:
        """Whether it has anything to tell a model."""
        own: Any = cls.prompt_line
        none: Any = Stage.prompt_line
        return own.__func__ is not none.__func__

    @classmethod
    def scene_data(cls, records: Sequence[Any]) -> Any:
        """What `base_data.json` says of a scene: records, or what can be written as JSON."""
        return tuple(records)

    @classmethod
    def fused_data(cls, records: Sequence[Any]) -> dict[str, Any]:
        """What the fused record of a scene says, by the names of its fields."""
        return {cls.name: tuple(records)}

    @classmethod
    def exported_data(cls, records: Sequence[Any]) -> dict[str, Any]:
        """What `kairos export --format json` says of a scene, by the names of its fields."""
        return cls.fused_data(records)

    @classmethod
    def from_fused(cls, scene: Mapping[str, Any]) -> list[Any]:
        """Its records, from the fused record of a scene: what `fused_data` gave."""
        return [cls.record.model_validate(one) for one in scene.get(cls.name, ())]

    @classmethod
    def labels(cls, records: Sequence[Any]) -> list[str]:
        """Under which a scene is found in the list of its `filter_title`."""
        return []

    @classmethod
    def view(cls, records: Sequence[Any]) -> str | Html:
        """What the report shows of a scene under its heading; empty where nothing was found.

        What is no HTML already is escaped.
        """
        return cls.prompt_line(records)

    # Of one video

    def skip(self) -> str:
        """Why this video gives the stage nothing to do; empty where it does."""
        return ""

    def silent(self) -> str:
        """Why a stage that listens has nothing to do with this video, if so."""
        return "" if self.context.facts.audio_streams else "the video has no audio stream"

    def frames_per_second(self) -> float | None:
        """How many frames it wants; none for a stage that looks at none.

        Infinity stands for all of them. A stage with frames has no `needs`: it runs while the
        video is decoded for the first and only time.
        """
        return None

    def prepare(self) -> None:
        """Make ready for this video. Stages are prepared one after another, never at once."""


def names() -> list[str]:
    """The analyzers that exist: the modules and packages that hold an `Analyzer`.

    None is imported for it.

    Raises:
        KairosError: A folder of one's own is not there, or two analyzers have one name.
    """
    return sorted(_sources())


@cache
def _sources() -> dict[str, Path]:
    """The file of each analyzer, looked up once: every scene of a report asks for some."""
    for folder in analyzers.OWN_FOLDERS:
        if not Path(folder).is_dir():
            raise KairosError(f"{ANALYZERS} names {folder!r}, which is no folder")
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
    """The stage of a name.

    Raises:
        KairosError: There is none, or its file cannot be used.
    """
    if name not in (known := names()):
        raise KairosError(f"unknown stage '{name}': {closest(name, known)}")
    path = _sources()[name]
    try:
        module = importlib.import_module(f"kairos_lib.analyzers.{name}")
    except Exception as error:  # A file of one's own can fail in any way.
        if path.is_relative_to(Path(__file__).parent):
            raise
        reason = f"{type(error).__name__}: {next(iter(str(error).splitlines()), '')}"
        raise KairosError(f"the analyzer {path} cannot be imported: {reason}") from error
    analyzer: type[Stage] = module.Analyzer
    if analyzer.name != name:
        raise KairosError(f"{path}: its analyzer is called '{analyzer.name}', and its file is not")
    return analyzer


def order(wanted: tuple[str, ...]) -> list[type[Stage]]:
    """The stages asked for and all they need, each after what it needs."""
    ordered: dict[str, type[Stage]] = {}

    def add(name: str) -> None:
        if name in ordered:
            return
        stage = find(name)
        for need in stage.needs:
            add(need)
        ordered[name] = stage

    add("scenes")  # Everything is told by scenes.
    for name in wanted:
        add(name)
    return list(ordered.values())


def scene_of(scenes: Sequence[Scene], start_s: float, end_s: float | None = None) -> int:
    """The scene that holds a moment, or that a range overlaps most.

    What lies before the first scene or after the last belongs to the nearest.
    """
    end_s = start_s if end_s is None else end_s
    # Scenes cover the video without gaps, so their ends are in order as their starts are.
    first = max(0, bisect_right(scenes, start_s, key=lambda scene: scene.start_s) - 1)
    last = max(first + 1, bisect_left(scenes, end_s, key=lambda scene: scene.start_s))

    def overlap_s(scene: Scene) -> float:
        return min(end_s, scene.end_s) - max(start_s, scene.start_s)

    return max(scenes[first:last], key=overlap_s).index
