"""Base runs for tests of the page of a video, with an analyzer that says everything there is."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from helpers.suites import SuiteMaker
from kairos_lib import analyzers
from kairos_lib.analyzers import analyzer
from kairos_lib.analyzers.objects import Detection
from kairos_lib.analyzers.sounds import SoundEvent
from kairos_lib.analyzers.speech.segment import Segment
from kairos_lib.pipeline.records import BaseResult, StageReport
from kairos_lib.runs.files import read_record, write_record
from kairos_lib.runs.journal import Journal
from kairos_lib.runs.record import Record

ALERT = "<script>alert(1)</script>"
HANDLER = '"><img src=x onerror=alert(2)>'
MADE_UP = '''
"""Made up: everything that an analyzer can show of a video."""

from typing import ClassVar

from kairos_lib.analyzers.analyzer import Stage
from kairos_lib.analyzers.marks import Box, Mark
from kairos_lib.runs.record import Record

ALERT = "<script>alert(1)</script>"
HANDLER = '"><img src=x onerror=alert(2)>'


class Shade(Record):
    scene: int
    time_s: float
    tall_px: int
    """How high it stands."""
    text: str


class Analyzer(Stage):
    name: ClassVar[str] = "made_up"
    version: ClassVar[int] = 1
    record: ClassVar[type[Shade]] = Shade
    heading: ClassVar[str] = "Made up " + ALERT
    filter_title: ClassVar[str] = "Shade " + HANDLER
    nothing: ClassVar[str] = "no shade"

    def run(self):
        yield from ()

    @classmethod
    def view(cls, records):
        return f"shade {records[0].text} {ALERT} {HANDLER}"

    @classmethod
    def labels(cls, records):
        return [f"{one.text} {HANDLER}" for one in records]

    @classmethod
    def marks(cls, records):
        return [Mark(one.time_s, one.time_s, ALERT, level=one.tall_px / 100) for one in records]

    @classmethod
    def boxes(cls, records):
        return [Box(one.time_s, (0.1, 0.2, 0.5, 0.9), HANDLER) for one in records]

    @classmethod
    def figures(cls, records):
        return {f"Shades {ALERT}": f"{len(records)} {HANDLER}"}
'''
"""With hostile text in every place."""
STRIP = '''
"""Strip: colours over time."""

from typing import ClassVar

from kairos_lib.analyzers.analyzer import Stage
from kairos_lib.analyzers.marks import Mark
from kairos_lib.runs.record import Record


class Tint(Record):
    start_s: float
    end_s: float
    colour: str


class Analyzer(Stage):
    name: ClassVar[str] = "strip"
    version: ClassVar[int] = 1
    record: ClassVar[type[Tint]] = Tint
    heading: ClassVar[str] = "Tints"

    def run(self):
        yield from ()

    @classmethod
    def marks(cls, records):
        return [Mark(one.start_s, one.end_s, one.colour, colour=one.colour) for one in records]
'''
OWN = {"made_up": MADE_UP, "strip": STRIP}


@contextmanager
def own_analyzers(folder: Path, **sources: str) -> Iterator[None]:
    """Custom analyzers as if `KAIROS_ANALYZERS` named their folder alone."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, source in sources.items():
        (folder / f"{name}.py").write_text(source)
    before = list(analyzers.__path__)
    _look_in([str(Path(analyzers.__file__).parent), str(folder)], sources)
    try:
        yield
    finally:
        _look_in(before, sources)


def _look_in(folders: list[str], names: Iterable[str]) -> None:
    analyzers.__path__[:] = folders
    analyzer._sources.cache_clear()
    importlib.invalidate_caches()
    for name in names:
        sys.modules.pop(f"kairos_lib.analyzers.{name}", None)
        vars(analyzers).pop(name, None)


def found_video(
    maker: SuiteMaker, scenes: int = 12, scene_s: float = 5.0, title: str = "Match", **result: Any
) -> Path:
    """A base run in which every analyzer has found something, made-up ones included."""
    names = ("scenes", "audio", "vad", "speech", "slices", "sounds", "objects", *OWN)
    stages = [StageReport(name=name, state="done", time_s=0.1) for name in names]
    folder = maker.base("match", title, scenes=scenes, scene_s=scene_s, stages=stages, **result)

    def write(name: str, kind: type[Record], *records: Record) -> None:
        Journal(folder / f"{name}.jsonl", kind).write_all(iter(records))

    with_speech = range(0, scenes, 2)
    write("speech", Segment, *(
        Segment(scene=n, start_s=n * scene_s + 0.5, end_s=(n + 1) * scene_s - 0.5,
                text=f"Sentence {n} of the game.")
        for n in with_speech
    ))  # fmt: skip
    sounds = ("applause", "whistle")
    write("sounds", SoundEvent, *(
        SoundEvent(scene=n, label=sounds[n % 2], score=0.9) for n in range(scenes)
    ))  # fmt: skip
    write("objects", Detection, *(
        Detection(scene=n, time_s=n * scene_s + at, label="ball", score=0.9,
                  box=(0.2, 0.2 + at / 20, 0.4, 0.5 + at / 20))
        for n in range(0, scenes, 3) for at in range(int(scene_s))
    ))  # fmt: skip
    for name, source in OWN.items():
        kind = analyzer.find(name).record
        rows = [
            {"scene": n, "time_s": n * scene_s + scene_s / 2, "tall_px": 100 * n // scenes,
             "text": f"shade {n % 3}"}
            for n in range(scenes)
        ] if source is MADE_UP else [
            {"start_s": n * scene_s, "end_s": (n + 1) * scene_s,
             "colour": f"#{n * 20 % 256:02x}80c0"}
            for n in range(scenes)
        ]  # fmt: skip
        write(name, kind, *(kind.model_validate(row) for row in rows))
    return folder


def change_stage(folder: Path, name: str, **changes: Any) -> None:
    """Let a stage have ended otherwise."""
    result = read_record(folder / "result.json", BaseResult)
    assert result is not None
    stages = tuple(
        one.model_copy(update=changes) if one.name == name else one for one in result.stages
    )
    write_record(folder / "result.json", result.model_copy(update={"stages": stages}))
