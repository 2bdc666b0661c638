"""The page of one video: what base processing found in it, in one file to look at.

Does not know any analyzer: figures, lanes, boxes and words are what each says of its records.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from markupsafe import Markup

from kairos_lib import formats
from kairos_lib.analyzers.analyzer import names
from kairos_lib.errors import KairosError
from kairos_lib.media.scene import Scene
from kairos_lib.pipeline.lanes import analyzers_of, asked, lanes
from kairos_lib.pipeline.records import BaseResult
from kairos_lib.pipeline.video_data import DATA, SCHEMA, write_video_data
from kairos_lib.project import Project
from kairos_lib.report.page.document import STYLES, document
from kairos_lib.report.page.html import Html, render
from kairos_lib.report.pictures import Pictures
from kairos_lib.report.sections.badges import pills
from kairos_lib.report.sections.scene_list import scene_list
from kairos_lib.report.sections.timeline import timeline, tones
from kairos_lib.results.badges import DAMAGED, NANO, OUTSIDE_BASE, SYNTHETIC, Badge
from kairos_lib.runs.files import read_record, write_bytes
from kairos_lib.runs.journal import Journal

SECTIONS = {
    "figures": "In figures", "missing": "What is missing", "timeline": "Timeline",
    "scenes": "Scenes",
}  # fmt: skip


@dataclass(frozen=True)
class Figure:
    """A key figure."""

    name: str
    value: str
    tone: int


@dataclass(frozen=True)
class Missing:
    """An analyzer of which there is nothing, and why."""

    name: str
    state: str
    reason: str


def write_video_page(project: Project, run_folder: Path, out: Path) -> Path:
    """Write the page of a video, and beside it all that was found, as JSON with its schema.

    Args:
        project: Pictures may come only from its runs folder.
        run_folder: A base run that has ended; stages of it may have failed.
        out: The page to write: one file that needs no other and no network.

    Returns:
        The page.

    Raises:
        KairosError: The run has not ended, or an analyzer cannot show its records.
    """
    result = read_record(run_folder / "result.json", BaseResult)
    if result is None:
        raise KairosError(
            f"{project.relative(run_folder)} has no result yet: run base processing of the video"
        )
    write_video_data(run_folder, result, out.parent)
    body = _body(run_folder, result)
    page = document(
        title=result.title,
        body=Html(Markup(Pictures(project, run_folder).inlined(str(body.markup)))),
        contents=_contents(body),
        scripts=("video.js",),
        styles=(*STYLES, "video.css"),
    )
    write_bytes(out, page)
    return out


def _body(folder: Path, result: BaseResult) -> Html:
    drawn = list(lanes(folder, result))
    kinds = analyzers_of(result)
    colours = tones(drawn, [kind.name for kind in kinds if kind.heading])
    scenes = list(Journal(folder / "scenes.jsonl", Scene))
    return render(
        "video",
        title=result.title,
        extent=_extent(result),
        badges=pills(_badges(result)),
        figures=list(_figures(folder, result, colours)),
        missing=list(_missing(result)),
        problems=result.facts.problems,
        timeline=timeline(drawn, scenes, result.facts.duration_s),
        scenes=scene_list(folder, result, colours),
        finish=f"Base processing with the profile {result.profile}, "
        f"in {formats.work(result.total_s)}.",
        data=DATA,
        schema=SCHEMA,
    )


def _extent(result: BaseResult) -> list[str]:
    facts = result.facts
    width, height = facts.display_size
    return [
        formats.length(facts.duration_s),
        f"{width}×{height}",
        f"{facts.frames_per_second:.4g} frames per second",
        facts.codec,
        f"{facts.size_bytes / 1e6:,.1f} MB",
    ]


def _badges(result: BaseResult) -> list[Badge]:
    """What a reader must know before believing what was found."""
    found = []
    if result.facts.problems:
        found.append(DAMAGED)
    if any(stage.weights_source == "nano" for stage in result.stages):
        found.append(NANO if result.synthetic_video else OUTSIDE_BASE)
    if result.synthetic_video:
        found.append(SYNTHETIC)
    return found


def _figures(folder: Path, result: BaseResult, colours: dict[str, int]) -> Iterator[Figure]:
    for kind in analyzers_of(result):
        if not kind.answers("figures"):
            continue
        records: list[Any] = list(Journal(folder / f"{kind.name}.jsonl", kind.record))
        found = asked(kind, "figures", lambda: dict(kind.figures(records)))  # noqa: B023
        for name, value in found.items():
            yield Figure(name, value, colours.get(kind.name, 0))


def _missing(result: BaseResult) -> Iterator[Missing]:
    known = set(names())
    for report in result.stages:
        if report.state != "done":
            reason = "; ".join(filter(None, (report.reason, report.remedy)))
            yield Missing(report.name, report.state, reason)
        elif report.name not in known:
            reason = "its analyzer is not here, so nothing of it is shown: see KAIROS_ANALYZERS"
            yield Missing(report.name, "unknown", reason)


def _contents(body: Html) -> Html:
    """Links to the sections that are there."""
    item = Markup('<li><a href="#{}">{}</a></li>')
    there = [item.format(n, t) for n, t in SECTIONS.items() if f'<h2 id="{n}"' in body.markup]
    return Html(Markup("<ol>{}</ol>").format(Markup("").join(there)))
