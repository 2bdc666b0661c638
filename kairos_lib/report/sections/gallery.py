"""Scene by scene: what was seen and heard, and what each model wrote about it.

Memory use does not grow with the scenes: a page's scenes are read when that page is requested.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Literal
from urllib.parse import quote

from kairos_lib import formats
from kairos_lib.analyzers.analyzer import Stage, find, names
from kairos_lib.errors import KairosError
from kairos_lib.media.scene import Scene
from kairos_lib.pipeline.scene_analysis import ALWAYS
from kairos_lib.report.page.html import Html, render
from kairos_lib.report.page.paging import Page, Stretch, paged
from kairos_lib.results.badges import BROKEN, Badge, of_captions, ordered
from kairos_lib.results.step_runs import BaseRun, VlmRun
from kairos_lib.results.suite import SuiteData
from kairos_lib.results.summary import Pair, pairs
from kairos_lib.runs.journal import Journal
from kairos_lib.vlm.records import Caption, FusedScene

SCENES_AT_MOST = 300
"""Per page, over all videos."""
WHICH = ("first frame", "middle frame")
SIZES: tuple[Literal["small", "large"], ...] = ("small", "large")
"""Size of each picture: of two frames, the middle one shows most."""


@dataclass(frozen=True)
class Picture:
    """A thumbnail: its location and what it shows."""

    source: str
    """Relative to the notebook, as a URL."""
    description: str
    shape: tuple[int, int] | None
    """The video's width and height, so that the page does not jump while pictures load."""
    size: Literal["small", "large"]


@dataclass(frozen=True)
class Shown:
    """One analyzer's findings in a scene, as the analyzer shows them."""

    analyzer: type[Stage]
    found: str | Html
    """Empty if it found nothing."""
    labels: tuple[str, ...]


@dataclass(frozen=True)
class ShownCaption:
    """One model's caption of one scene."""

    model: str
    model_title: str
    badges: tuple[Badge, ...]
    caption: Caption | None
    problem: str = ""
    """Why there is no caption."""

    @property
    def status(self) -> str:
        """Status of the caption, in the words of the filter."""
        if self.caption is None:
            return "without caption"
        if self.caption.error:
            return "failed"
        if not self.caption.text.strip():
            return "without caption"
        return "cut off" if self.caption.truncated else "captioned"


@dataclass(frozen=True)
class SceneCard:
    """One scene with everything known about it."""

    scene: Scene
    pictures: tuple[Picture, ...]
    shown: tuple[Shown, ...] = ()
    """What analyzers found, as far as recorded by any run."""
    not_run: frozenset[str] = frozenset()
    """Stages that did not run: an absence of their findings means nothing."""
    said: tuple[ShownCaption, ...] = ()

    @property
    def labels(self) -> dict[str, tuple[str, ...]]:
        """Labels that scenes can be filtered by, for each analyzer that has such a list."""
        return {one.analyzer.name: one.labels for one in self.shown if one.analyzer.filter_title}

    @property
    def in_pictures(self) -> str:
        """What can be seen in its pictures."""
        return ", ".join(str(one.found) for one in self.shown if one.analyzer.in_pictures)


@dataclass(frozen=True)
class VideoGallery:
    """The scenes of one video that are shown on a page."""

    video: str
    title: str
    cards: tuple[SceneCard, ...]
    elsewhere: tuple[tuple[Page, Stretch], ...] = ()
    """Its other scenes, and the pages that they are on."""

    @property
    def left_out(self) -> int:
        """How many of its scenes are on other pages."""
        return sum(stretch.end - stretch.first for _, stretch in self.elsewhere)


class Gallery:
    """The scenes of every video, each with what every model wrote.

    Args:
        suite: The suite to show.
        notebook_folder: Folder of the notebook that refers to the pictures.
        at_most: Maximum number of scenes per page.
    """

    def __init__(
        self, suite: SuiteData, notebook_folder: Path, at_most: int = SCENES_AT_MOST
    ) -> None:
        self._suite = suite
        self._folder = notebook_folder
        known = [_Written(pair) for pair in pairs(suite)]
        videos = [
            *(base.planned.video for base in suite.bases),
            *(written.pair.video for written in known),
        ]
        self._written = {
            video: [written for written in known if written.pair.video == video]
            for video in dict.fromkeys(videos)
        }
        self._scenes = {
            video: list(_scenes(suite.base(video), written))
            for video, written in self._written.items()
        }
        counts = {video: len(scenes) for video, scenes in self._scenes.items()}
        self.pages = paged(counts, at_most)

    def videos(self, page: Page) -> list[VideoGallery]:
        """Content of a page, video by video."""
        return [
            VideoGallery(
                video=stretch.video,
                title=self._suite.video_title(stretch.video),
                cards=self._cards(stretch),
                elsewhere=tuple(
                    (other, part)
                    for other in self.pages
                    for part in other.stretches
                    if other is not page and part.video == stretch.video and part.end > part.first
                ),
            )
            for stretch in page.stretches
        ]

    @cached_property
    def first(self) -> list[VideoGallery]:
        """Content of the first page, which is part of the report itself."""
        return self.videos(self.pages[0])

    def html(self, page: Page | None = None) -> Html:
        """A page's scenes as cards, with controls to search and filter them."""
        page = page or self.pages[0]
        titles = {video: self._suite.video_title(video) for video in self._written}
        galleries = self.first if page.number == 1 else self.videos(page)
        every = [one.analyzer for each in galleries for card in each.cards for one in card.shown]
        return render(
            "gallery",
            galleries=galleries,
            filters={kind.name: kind.filter_title for kind in every if kind.filter_title},
            page=page,
            pages=self.pages,
            titles=titles,
        )

    def further(self, page: Page) -> Html:
        """Content of a page beside the report: its heading and its scenes."""
        return render(
            "further",
            title=self._suite.manifest.title,
            page=page,
            pages=self.pages,
            gallery=self.html(page),
        )

    def _cards(self, stretch: Stretch) -> tuple[SceneCard, ...]:
        scenes = self._scenes[stretch.video][stretch.first : stretch.end]
        base = self._suite.base(stretch.video)
        cards = [
            SceneCard(
                scene,
                _pictures(base, scene, self._folder) if base else (),
                not_run=_not_run(base),
            )
            for scene in scenes
        ]
        for written in self._written[stretch.video]:
            badges = _caption_badges(written.pair.shown)
            for place, (card, fused) in enumerate(zip(cards, written.of(scenes), strict=True)):
                caption = fused.caption if fused else None
                problem = "" if caption else written.problem
                said = ShownCaption(
                    written.pair.model, written.pair.model_title, badges, caption, problem
                )
                known = _with_context(card, fused) if fused else card
                cards[place] = replace(known, said=(*card.said, said))
        return tuple(cards)


class _Written:
    """What a model wrote about a video, by scene; read from the run's file on demand."""

    def __init__(self, pair: Pair) -> None:
        self.pair = pair
        self._journal = Journal(pair.shown.folder / "fused.jsonl", FusedScene)

    @cached_property
    def _places(self) -> tuple[dict[int, int], str]:
        """Where in the file each scene is, and why any are missing."""
        outcome = self.pair.shown.outcome
        problem = outcome.reason if outcome.state != "done" else "not reached"
        places: dict[int, int] = {}
        try:
            for place, fused in self._journal.placed():
                places[fused.scene.index] = place
        except KairosError:
            # A damaged file is a failed run like any other; captions before the damage are shown.
            problem = "its fused.jsonl cannot be read"
        return places, problem

    @property
    def problem(self) -> str:
        """Why a scene has no caption."""
        return self._places[1]

    @property
    def scenes(self) -> list[Scene]:
        """The scenes that it reached."""
        return [fused.scene for fused in self._journal.at(self._places[0].values())]

    def of(self, scenes: list[Scene]) -> list[FusedScene | None]:
        """The record of each scene; None if the model did not reach it."""
        places = self._places[0]
        known = [places[scene.index] for scene in scenes if scene.index in places]
        found = {fused.scene.index: fused for fused in self._journal.at(known)} if known else {}
        return [found.get(scene.index) for scene in scenes]


def _scenes(base: BaseRun | None, written: Iterable[_Written]) -> Iterable[Scene]:
    """A video's scenes, from base processing or, if that is missing, from a model's run."""
    if base is not None and (base.folder / "scenes.jsonl").is_file():
        return Journal(base.folder / "scenes.jsonl", Scene)
    return next((one.scenes for one in written if one.pair.shown.captions), ())


def _not_run(base: BaseRun | None) -> frozenset[str]:
    reports = base.result.stages if base is not None and base.result is not None else ()
    return frozenset(report.name for report in reports if report.state != "done")


def _caption_badges(run: VlmRun) -> tuple[Badge, ...]:
    found = of_captions(run.result) if run.result else {BROKEN[run.outcome.state]}
    return tuple(ordered(found))


def _with_context(card: SceneCard, fused: FusedScene) -> SceneCard:
    """Add what analyzers found; all models get the same findings of a video."""
    return card if card.shown else replace(card, shown=tuple(_shown(fused)))


def _shown(fused: FusedScene) -> Iterator[Shown]:
    """What each analyzer shows of a scene; a custom analyzer may no longer exist."""
    fields = dict(fused)
    for name in (*ALWAYS, *(name for name in fused.model_extra or () if name in names())):
        kind = find(name)
        if kind.heading:
            records = kind.from_fused(fields)
            yield Shown(kind, kind.view(records), tuple(kind.labels(records)))


def _pictures(base: BaseRun, scene: Scene, notebook_folder: Path) -> tuple[Picture, ...]:
    facts = base.result.facts if base.result else None
    shape = facts.display_size if facts else None
    found = []
    times_s = (scene.start_s, scene.middle_s)
    for name, which, time_s, size in zip(scene.thumbnails, WHICH, times_s, SIZES, strict=False):
        # Only a bare file name: the records may have been made elsewhere.
        if (path := base.folder / "thumbnails" / Path(name).name).is_file():
            relative = os.path.relpath(path, notebook_folder).replace(os.sep, "/")
            where = f"Scene {scene.number} of {base.planned.title}, {which}"
            description = f"{where}, at {formats.time_code(time_s)}"
            found.append(Picture(quote(relative), description, shape, size))
    return tuple(found)
