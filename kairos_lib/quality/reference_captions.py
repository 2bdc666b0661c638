"""References for captions: people's captions of a video, or a synthetic clip's truth.

The report is made from files under `runs/`, so the plan keeps a copy of a video's references there,
in a file named by its content, and the suite's manifest names that file. It is not part of any
run's key: changed references make a new report but run no model again, and a suite always records
which references its captions were compared with.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from kairos_lib.errors import KairosError
from kairos_lib.media.scene import Scene
from kairos_lib.parameters.video import Video
from kairos_lib.project import Project
from kairos_lib.quality.synthetic_world import known
from kairos_lib.runs.files import read_record, write_record
from kairos_lib.runs.record import Record
from kairos_lib.runs.run import KEY_HEX_DIGITS

FOLDER = "references"
"""Under `runs/`."""
LEAST_SHARE = 0.5
"""Minimum share of a scene in a span for a comparison: if a scene is mostly something else, its
caption is rightly about that."""


class Reference(Record):
    """A part of a video, half-open, and valid captions of it."""

    start_s: float
    end_s: float
    captions: tuple[str, ...]
    """All equally valid; a caption is compared with each of them."""
    world: Any = None
    """The contents of a synthetic scene, in the form of its world."""


class References(Record):
    """All references of a video; a file of `runs/references/`."""

    source: str
    """The file they were copied from, as the parameters name it."""
    spans: tuple[Reference, ...]


class _Given(BaseModel):
    """One entry of a file of references, as people write it."""

    model_config = ConfigDict(extra="forbid")

    start_s: float
    end_s: float
    captions: tuple[str, ...]


def load(path: Path, shown: str) -> References:
    """Read a file of reference captions: a JSON list of `{start_s, end_s, captions: [...]}`.

    Args:
        path: The file to read.
        shown: Its name in errors and in the copy.

    Raises:
        KairosError: There is no such file, or an entry is wrong; the message says which, and why.
    """
    entries = _entries(_content(path, shown, "references"), shown)
    for number, entry in enumerate(entries, start=1):
        if not 0 <= entry.start_s < entry.end_s:
            raise KairosError(
                f"{shown}, entry {number}: start_s must be 0 or more and less than end_s, "
                f"not {entry.start_s:g} and {entry.end_s:g}"
            )
        if not entry.captions or not all(caption.strip() for caption in entry.captions):
            raise KairosError(
                f"{shown}, entry {number}: captions must hold at least one, none empty"
            )
    spans = tuple(Reference(**entry.model_dump()) for entry in entries)
    return References(source=shown, spans=spans)


def _content(path: Path, shown: str, key: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise KairosError(
            f"{shown}: cannot be read ({error.strerror}), though the video names it as its {key}"
        ) from error


def _entries(content: bytes, shown: str) -> list[_Given]:
    try:
        found = TypeAdapter(list[_Given]).validate_json(content)
    except ValidationError as error:
        first = error.errors()[0]
        message = f"{first['msg'][0].lower()}{first['msg'][1:]}"
        if not first["loc"]:
            raise KairosError(
                f"{shown}: must be a JSON list of start_s, end_s and captions: {message}"
            ) from error
        entry, *key = first["loc"]
        where = f"{shown}, entry {int(entry) + 1}"
        problem = f"{'.'.join(map(str, key))}: {message}" if key else message
        raise KairosError(f"{where}: {problem}") from error
    if not found:
        raise KairosError(f"{shown}: holds no entry")
    return found


def of_truth(path: Path, shown: str) -> References:
    """References from the truth of a synthetic clip: a caption of each scene, and its contents.

    Raises:
        KairosError: There is no such file, or it is not a clip's truth.
    """
    world = known()
    if world is None:
        raise KairosError(f"{shown}: no synthetic world is registered that could read it")
    try:
        scenes = world.read(_content(path, shown, "truth"))
    except ValueError as error:
        raise KairosError(f"{shown}: is not the truth of a synthetic clip") from error
    spans = tuple(
        Reference(
            start_s=scene.start_s, end_s=scene.end_s, captions=(scene.caption,), world=scene.drawn
        )
        for scene in scenes
    )
    return References(source=shown, spans=spans)


def keep(project: Project, video: Video) -> str:
    """Copy a video's references to where the report finds them.

    Returns:
        The copy's path relative to the project; empty if the video has no references.

    Raises:
        KairosError: They cannot be read.
    """
    if video.references is not None:
        found = load(video.references, project.relative(video.references))
    elif video.truth is not None:
        found = of_truth(video.truth, project.relative(video.truth))
    else:
        return ""
    content = json.dumps(found.model_dump(mode="json"), sort_keys=True)
    key = hashlib.sha256(content.encode()).hexdigest()[:KEY_HEX_DIGITS]
    path = project.runs / FOLDER / f"{key}.json"
    if not path.exists():
        write_record(path, found)
    return project.relative(path)


def kept(project: Project, path: str) -> References | None:
    """The copy that a manifest names; None if it names none or it is missing.

    Raises:
        KairosError: It was changed by hand.
    """
    return read_record(project.root / path, References) if path else None


def matched(scenes: Iterable[Scene], spans: Sequence[Reference]) -> dict[int, Reference]:
    """The reference of each scene, by its index: the span that it overlaps most.

    Of two equal overlaps, the earlier span. A scene with less than `LEAST_SHARE` of its length in
    that span has none. Several scenes can have the same span.
    """
    waiting = sorted(spans, key=lambda span: span.start_s)
    place = 0
    near: list[Reference] = []
    found = {}
    for scene in sorted(scenes, key=lambda scene: scene.start_s):
        while place < len(waiting) and waiting[place].start_s < scene.end_s:
            near.append(waiting[place])
            place += 1
        near = [span for span in near if span.end_s > scene.start_s]
        best = max(near, key=lambda span: _overlap_s(scene, span), default=None)
        length_s = scene.end_s - scene.start_s
        if best is not None and _overlap_s(scene, best) >= LEAST_SHARE * length_s > 0:
            found[scene.index] = best
    return found


def _overlap_s(scene: Scene, span: Reference) -> float:
    return min(scene.end_s, span.end_s) - max(scene.start_s, span.start_s)
