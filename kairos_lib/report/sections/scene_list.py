"""The scenes of one video: a picture with what was found drawn on it, and what each analyzer says.

Does not know any analyzer: each says itself how its records are shown.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote

from kairos_lib import formats
from kairos_lib.analyzers.analyzer import Stage
from kairos_lib.analyzers.marks import Box
from kairos_lib.errors import KairosError
from kairos_lib.media.scene import Scene
from kairos_lib.pipeline.lanes import asked, title_of
from kairos_lib.pipeline.records import BaseResult
from kairos_lib.pipeline.scene_analysis import SceneFindings, VideoFindings
from kairos_lib.report.page.html import Html, render

LARGE_AT_MOST = 300
"""With more scenes pictures are smaller: an hour has about six hundred."""
SCENES_AT_MOST = 1200
"""With small pictures about 6 MB of a page."""
NEAR_S = 1.0
"""A picture shows what was found in a frame at most this far from it."""
BOXES_AT_MOST = 80
"""Of one picture."""
BOX_CHARACTERS = 40
WHICH = ("first frame", "middle frame")


@dataclass(frozen=True)
class DrawnBox:
    """A box in per cent of the picture's width and height."""

    x: float
    y: float
    width: float
    height: float
    text: str
    tone: int
    below: bool
    """Whether its text is inside, as there is no room above."""
    leftwards: bool
    """Whether its text ends at the right edge, as there is no room beyond."""


@dataclass(frozen=True)
class Shot:
    """A scene's picture."""

    source: str
    """Relative to the run's folder, as a URL."""
    description: str
    boxes: tuple[DrawnBox, ...]
    left_out: int
    """Boxes that are not drawn, as there are too many."""


@dataclass(frozen=True)
class Found:
    """What one analyzer found in a scene."""

    title: str
    said: str | Html
    """Empty if it found nothing."""
    nothing: str
    tone: int


@dataclass(frozen=True)
class ListedScene:
    """A scene as listed."""

    scene: Scene
    shot: Shot | None
    found: tuple[Found, ...]
    labels: Mapping[str, Sequence[str]]
    """By the name of the analyzer that gave them."""


def scene_list(folder: Path, result: BaseResult, tones: Mapping[str, int]) -> Html:
    """The scenes of a base run, with controls to search and filter them.

    Args:
        folder: The run's folder; pictures are relative to it.
        result: Of that run.
        tones: Number of each analyzer's colour.

    Raises:
        KairosError: An analyzer cannot show its records.
    """
    findings = VideoFindings(folder)
    listed = list(_listed(findings, folder, result, tones))
    filters = {
        kind.name: kind.filter_title
        for kind in _kinds(findings)
        if any(one.labels.get(kind.name) for one in listed)
    }
    return render(
        "scene_list",
        scenes=listed,
        left_out=len(findings.scenes) - len(listed),
        filters=filters,
        shape=result.facts.display_size,
        size=_size(len(listed)),
        boxed=any(one.shot and one.shot.boxes for one in listed),
    )


def _size(scenes: int) -> Literal["small", "large"]:
    return "large" if scenes <= LARGE_AT_MOST else "small"


def _kinds(findings: VideoFindings) -> list[type[Stage]]:
    return [kind for one in findings.scenes[:1] for kind, _ in findings.of(one).by_analyzer]


def _listed(
    findings: VideoFindings, folder: Path, result: BaseResult, tones: Mapping[str, int]
) -> Iterator[ListedScene]:
    asked_for = {report.name for report in result.stages}
    done = {report.name for report in result.stages if report.state == "done"}
    for scene in findings.scenes[:SCENES_AT_MOST]:
        of_scene = findings.of(scene)
        found, labels = [], {}
        for kind, records in of_scene.by_analyzer:
            there = kind.name in done
            if kind.filter_title and there:
                labels[kind.name] = _labels(kind, records)
            if kind.heading and kind.name in asked_for:
                said = _view(kind, records) if there else ""
                nothing = kind.nothing if there else kind.not_run
                found.append(Found(title_of(kind), said, nothing, tones.get(kind.name, 0)))
        shot = _shot(of_scene, folder, tones)
        yield ListedScene(scene, shot, tuple(found), labels)


def _labels(kind: type[Stage], records: Sequence[Any]) -> list[str]:
    if not records:
        return []
    return list(dict.fromkeys(asked(kind, "labels", lambda: kind.labels(records))))


def _view(kind: type[Stage], records: Sequence[Any]) -> str | Html:
    return asked(kind, "view", lambda: kind.view(records)) if records else ""


def _shot(found: SceneFindings, folder: Path, tones: Mapping[str, int]) -> Shot | None:
    """The picture of a scene's middle; of a run with one picture a scene, that."""
    scene = found.scene
    pictures = list(zip(scene.thumbnails, WHICH, (scene.start_s, scene.middle_s), strict=False))
    for name, which, time_s in reversed(pictures):
        # Only a bare file name: the records may have been made elsewhere.
        if not (folder / "thumbnails" / Path(name).name).is_file():
            continue
        boxes = [
            _drawn(kind, box, tones.get(kind.name, 0))
            for kind, records in found.by_analyzer
            for box in _there(kind, records, time_s)
        ]
        description = f"Scene {scene.number}, {which}, at {formats.time_code(time_s)}"
        seen = [
            str(said)
            for kind, records in found.by_analyzer
            if kind.in_pictures and isinstance(said := _view(kind, records), str) and said
        ]
        if seen:
            description += f"; seen in this scene: {', '.join(seen)}"
        source = quote(f"thumbnails/{Path(name).name}")
        left_out = max(0, len(boxes) - BOXES_AT_MOST)
        return Shot(source, description, tuple(boxes[:BOXES_AT_MOST]), left_out)
    return None


def _there(kind: type[Stage], records: Sequence[Any], time_s: float) -> list[Box]:
    """An analyzer's boxes that are in a picture, with those of the frame nearest to it."""
    boxes = asked(kind, "boxes", lambda: list(kind.boxes(records))) if records else []
    moments = [box.time_s for box in boxes if box.end_s is None]
    nearest_s = min(moments, key=lambda at_s: abs(at_s - time_s), default=math.inf)
    near = abs(nearest_s - time_s) <= NEAR_S
    return [
        box
        for box in boxes
        if (
            near and box.time_s == nearest_s
            if box.end_s is None
            else box.time_s <= time_s <= box.end_s
        )
    ]


def _drawn(kind: type[Stage], box: Box, tone: int) -> DrawnBox:
    left, top, right, bottom = (min(1.0, max(0.0, side)) for side in box.box)
    if not (left <= right and top <= bottom):
        raise KairosError(f"the analyzer {kind.name} has a box of {box.box}: left, top, right, "
                          "bottom are wanted")  # fmt: skip
    return DrawnBox(
        x=round(100 * left, 2),
        y=round(100 * top, 2),
        width=round(100 * (right - left), 2),
        height=round(100 * (bottom - top), 2),
        text=formats.shortened(box.text, BOX_CHARACTERS),
        tone=tone,
        below=top < 0.09,
        leftwards=left > 0.7,
    )
