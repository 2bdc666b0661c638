"""`video.json`: all that was found in one video, by analyzer and by scene, and its schema."""

from __future__ import annotations

import ast
import inspect
import json
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, create_model
from pydantic.json_schema import GenerateJsonSchema

from kairos_lib.analyzers.analyzer import Stage
from kairos_lib.analyzers.marks import Mark
from kairos_lib.media.facts import VideoFacts
from kairos_lib.pipeline.lanes import analyzers_of, asked, checked, title_of
from kairos_lib.pipeline.records import BaseResult
from kairos_lib.pipeline.scene_analysis import VideoFindings
from kairos_lib.runs.files import replacing, write_json
from kairos_lib.runs.journal import Journal

DATA = "video.json"
SCHEMA = "video.schema.json"
UNITS = {
    # What is longer comes before what it ends with.
    "_px_per_s": "In pixels per second.", "_deg_per_s": "In degrees per second.",
    "_percent_per_s": "In percent per second.", "_per_s": "Per second.",
    "_wpm": "In words per minute.", "_k": "In kelvins.", "_years": "In years.",
    "_s": "In seconds.", "_ms": "In milliseconds.", "_px": "In pixels.", "_deg": "In degrees.",
    "_mib": "In MiB.", "_bytes": "In bytes.", "_hz": "In hertz.", "_db": "In decibels.",
    "_per_second": "Per second.",
}  # fmt: skip
"""What the end of a field's name says of its unit."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class VideoAbout(_Strict):
    """The video, and how it was processed."""

    name: str
    title: str
    profile: str
    """Of base processing."""
    facts: VideoFacts


class StageAbout(_Strict):
    """How one stage went."""

    name: str
    state: Literal["running", "done", "skipped", "failed"]
    reason: str
    """Why it is not done."""
    time_s: float


class MarkData(_Strict):
    """A stretch of the timeline."""

    start_s: float
    end_s: float
    """The same as `start_s` for a moment."""
    text: str
    level: float | None
    """From 0 to 1."""
    colour: str
    """`#rrggbb`, or empty."""


class Found(_Strict):
    """What one analyzer found."""

    title: str
    figures: dict[str, str]
    """Key figures, each with its unit."""
    marks: list[MarkData]
    """Its lane in the timeline."""


class SceneFound(_Strict):
    """What one analyzer found in a scene."""

    said: str
    """In words."""
    labels: list[str]
    records: list[int]
    """Positions of its records in the analyzer's list, from 0."""


class SceneSummary(_Strict):
    """A scene, and what was found in it."""

    number: int
    """From 1."""
    start_s: float
    end_s: float
    thumbnails: list[str]
    """File names in the run's `thumbnails/`."""
    found: dict[str, SceneFound]
    """By the name of the analyzer."""


def video_schema(kinds: Sequence[type[Stage]]) -> dict[str, Any]:
    """The schema of a `video.json` (JSON Schema 2020-12).

    Args:
        kinds: The analyzers that are in it.
    """
    found: dict[str, Any] = {
        kind.name: (
            create_model(
                f"Found_{kind.name}",
                __base__=Found,
                __doc__=f"What {kind.name} found.",
                records=(list[kind.record], ...),  # type: ignore[name-defined]
            ),
            ...,
        )
        for kind in kinds
    }
    whole = create_model(
        "VideoData",
        __base__=_Strict,
        __doc__="All that was found in a video. Times are seconds from its first frame.",
        schema_=(str, Field(alias="$schema")),
        video=(VideoAbout, ...),
        stages=(list[StageAbout], ...),
        analyzers=(create_model("ByAnalyzer", __base__=_Strict, **found), ...),
        scenes=(list[SceneSummary], ...),
    )
    made = whole.model_json_schema(mode="serialization", schema_generator=_WithUnits)
    return {"$schema": GenerateJsonSchema.schema_dialect, **made}


def write_video_data(run_folder: Path, result: BaseResult, folder: Path) -> Path:
    """Write `video.json`, and beside it its schema.

    Args:
        run_folder: A base run's folder.
        result: Of that run.
        folder: Where to write them.

    Returns:
        The data's file.

    Raises:
        KairosError: An analyzer cannot show its records.
    """
    kinds = [kind for kind in analyzers_of(result) if kind.about_scenes]
    write_json(folder / SCHEMA, video_schema(kinds))
    path = folder / DATA
    with replacing(path) as file:
        # Piece by piece: the objects of a long film alone take hundreds of megabytes.
        for piece in _pieces(run_folder, result, kinds):
            file.write(piece.encode())
    return path


def _pieces(folder: Path, result: BaseResult, kinds: Sequence[type[Stage]]) -> Iterator[str]:
    about = VideoAbout(
        name=result.video, title=result.title, profile=result.profile, facts=result.facts
    )
    stages = [
        StageAbout(name=one.name, state=one.state, reason=one.reason, time_s=one.time_s)
        for one in result.stages
    ]
    yield f'{{"$schema": "{SCHEMA}",\n"video": {about.model_dump_json()},\n"stages": '
    yield f'{_json([stage.model_dump() for stage in stages])},\n"analyzers": {{'
    for number, kind in enumerate(kinds):
        yield f"{',' if number else ''}\n{_json(kind.name)}: "
        yield from _of_analyzer(folder, kind, result.facts.duration_s)
    yield '},\n"scenes": ['
    findings = VideoFindings(folder)
    wanted = {kind.name for kind in kinds}
    places = {kind.name: _places(folder, kind) for kind in kinds if kind.name in findings.names}
    for number, found in enumerate(findings):
        by_name = {
            kind.name: _of_scene(kind, records, places[kind.name].get(found.scene.index, []))
            for kind, records in found.by_analyzer
            if kind.name in wanted
        }
        scene = SceneSummary(
            number=found.scene.number,
            start_s=found.scene.start_s,
            end_s=found.scene.end_s,
            thumbnails=list(found.scene.thumbnails),
            found=by_name,
        )
        yield f"{',' if number else ''}\n{scene.model_dump_json()}"
    yield "\n]}\n"


def _of_analyzer(folder: Path, kind: type[Stage], end_s: float) -> Iterator[str]:
    records: Iterable[Any] = Journal(folder / f"{kind.name}.jsonl", kind.record)
    figures: Mapping[str, str] = {}
    marks: list[Mark] = []
    if kind.answers("figures") or kind.answers("marks"):
        records = whole = list(records)
        figures = asked(kind, "figures", lambda: dict(kind.figures(whole)))
        marks = checked(kind, asked(kind, "marks", lambda: list(kind.marks(whole))), end_s)
    told = asked(kind, "figures", lambda: _json(figures))
    yield f'{{"title": {_json(title_of(kind))}, "figures": {told}, "records": ['
    for number, record in enumerate(records):
        yield f"{',' if number else ''}\n{record.model_dump_json()}"
    yield '],\n"marks": ['
    for number, mark in enumerate(marks):
        yield f"{',' if number else ''}\n{_json(asdict(mark))}"
    yield "]}"


def _places(folder: Path, kind: type[Stage]) -> dict[int, list[int]]:
    """Positions of an analyzer's records, by scene."""
    found: dict[int, list[int]] = {}
    for position, record in enumerate(Journal(folder / f"{kind.name}.jsonl", kind.record)):
        found.setdefault(getattr(record, "scene"), []).append(position)  # noqa: B009
    return found


def _of_scene(kind: type[Stage], records: Sequence[Any], places: list[int]) -> SceneFound:
    if not records:
        return SceneFound(said="", labels=[], records=[])
    said = asked(kind, "view", lambda: kind.view(records))
    return SceneFound(
        said=said if isinstance(said, str) else str(said.markup.striptags()),
        labels=asked(kind, "labels", lambda: kind.labels(records)),
        records=places,
    )


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


class _WithUnits(GenerateJsonSchema):
    """Adds to each field what its docstring, or the end of its name, says of it."""

    def model_schema(self, schema: Any) -> dict[str, Any]:
        made = super().model_schema(schema)
        texts = _field_texts(schema["cls"])
        for name, field in made.get("properties", {}).items():
            unit = next((text for end, text in UNITS.items() if name.endswith(end)), "")
            if text := " ".join(filter(None, (texts.get(name, ""), unit))):
                field.setdefault("description", text)
        return made


def _field_texts(kind: type[BaseModel]) -> Mapping[str, str]:
    """The docstrings of a record's fields, its bases' included."""
    found: dict[str, str] = {}
    for one in reversed(kind.__mro__):
        if not issubclass(one, BaseModel) or one is BaseModel:
            continue
        # Made by `create_model`, or typed into a notebook: without a source there are none.
        with suppress(OSError, TypeError, SyntaxError, IndexError):
            (body,) = ast.parse(textwrap.dedent(inspect.getsource(one))).body
            found |= _texts(body.body if isinstance(body, ast.ClassDef) else [])
    return found


def _texts(lines: Sequence[ast.stmt]) -> dict[str, str]:
    texts = {}
    for field, text in pairwise(lines):
        match field, text:
            case (
                ast.AnnAssign(target=ast.Name(id=name)),
                ast.Expr(value=ast.Constant(value=str(said))),
            ):
                texts[name] = " ".join(said.split())
    return texts
