"""Scene by scene: what was seen and heard, and what each model wrote about it."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import quote

from kairos_lib.errors import KairosError
from kairos_lib.records import Caption, Detection, FusedScene, Scene
from kairos_lib.report import formats
from kairos_lib.report.badges import BROKEN, Badge, of_captions, ordered
from kairos_lib.report.html import Html, render
from kairos_lib.report.suite import BaseRun, SuiteData, VlmRun
from kairos_lib.report.summary import Pair, pairs
from kairos_lib.runs import Journal

SCENES_AT_MOST = 300
"""On one page, of all videos together."""
WHICH = ("first frame", "middle frame")


@dataclass(frozen=True)
class Picture:
    """A thumbnail: where it lies and what it shows."""

    source: str
    """Relative to the notebook, as a URL."""
    description: str
    shape: tuple[int, int] | None
    """The video's width and height, so that the page does not jump while pictures load."""


@dataclass(frozen=True)
class Said:
    """One model's caption of one scene."""

    model: str
    model_title: str
    badges: tuple[Badge, ...]
    caption: Caption | None
    problem: str = ""
    """Why there is no caption."""


@dataclass(frozen=True)
class SceneCard:
    """One scene with everything known of it."""

    scene: Scene
    pictures: tuple[Picture, ...]
    transcript: str = ""
    sounds: tuple[str, ...] = ()
    objects: tuple[str, ...] = ()
    known: bool = False
    """Whether any run says what is heard and seen in it."""
    not_run: frozenset[str] = frozenset()
    """Stages that did not run: that they found nothing does not mean that nothing is there."""
    said: tuple[Said, ...] = ()


@dataclass(frozen=True)
class VideoGallery:
    """The scenes of one video that are shown."""

    video: str
    title: str
    cards: tuple[SceneCard, ...]
    left_out: int


def galleries(
    suite: SuiteData, notebook_folder: Path, at_most: int = SCENES_AT_MOST
) -> list[VideoGallery]:
    """The scenes of every video, each with what every model wrote.

    Args:
        suite: What is shown.
        notebook_folder: Where the notebook lies that refers to the pictures.
        at_most: Scenes to show, shared out evenly among the videos.
    """
    by_video: dict[str, list[Pair]] = {}
    for pair in pairs(suite):
        by_video.setdefault(pair.video, []).append(pair)
    videos = list(dict.fromkeys([*(base.planned.video for base in suite.bases), *by_video]))
    scenes = {video: list(_scenes(suite, video, by_video.get(video, ()))) for video in videos}
    shares = share_out([len(scenes[video]) for video in videos], at_most)
    return [
        VideoGallery(
            video=video,
            title=suite.video_title(video),
            cards=_cards(suite, video, scenes[video][:share], by_video.get(video, []),
                         notebook_folder),
            left_out=len(scenes[video]) - share,
        )
        for video, share in zip(videos, shares, strict=True)
    ]  # fmt: skip


def share_out(wanted: list[int], available: int) -> list[int]:
    """Share out evenly: nobody gets more than wanted, and what one leaves goes to the others."""
    shares = [0] * len(wanted)
    left = available
    for waiting, index in enumerate(sorted(range(len(wanted)), key=lambda i: wanted[i])):
        shares[index] = min(wanted[index], left // (len(wanted) - waiting))
        left -= shares[index]
    return shares


def _scenes(suite: SuiteData, video: str, told: Iterable[Pair]) -> Iterable[Scene]:
    """A video's scenes, from base processing or, where that is gone, from a model's run."""
    base = suite.base(video)
    if base is not None and (base.folder / "scenes.jsonl").is_file():
        return Journal(base.folder / "scenes.jsonl", Scene)
    fused = [pair.shown for pair in told if pair.shown.captions]
    return (scene.scene for scene in _fused(fused[0])) if fused else ()


def _fused(run: VlmRun) -> Iterable[FusedScene]:
    return Journal(run.folder / "fused.jsonl", FusedScene)


def _cards(
    suite: SuiteData, video: str, scenes: list[Scene], told: list[Pair], notebook_folder: Path
) -> tuple[SceneCard, ...]:
    base = suite.base(video)
    cards = {
        scene.index: SceneCard(
            scene,
            _pictures(base, scene, notebook_folder) if base else (),
            not_run=_not_run(base),
        )
        for scene in scenes
    }
    for pair in told:
        problem = ""
        captions: dict[int, Caption] = {}
        try:
            for fused in _fused(pair.shown):
                if fused.scene.index in cards:
                    captions[fused.scene.index] = fused.caption
                    cards[fused.scene.index] = _with_context(cards[fused.scene.index], fused)
        except KairosError:
            # A spoilt file is a failed run like any other; the captions before it are shown.
            problem = "its fused.jsonl cannot be read"
        outcome = pair.shown.outcome
        badges = _caption_badges(pair.shown)
        problem = problem or (outcome.reason if outcome.state != "done" else "not reached")
        for index, card in cards.items():
            caption = captions.get(index)
            said = Said(pair.model, pair.model_title, badges, caption, "" if caption else problem)
            cards[index] = replace(card, said=(*card.said, said))
    return tuple(cards.values())


def _not_run(base: BaseRun | None) -> frozenset[str]:
    reports = base.result.stages if base is not None and base.result is not None else ()
    return frozenset(report.name for report in reports if report.state != "done")


def _caption_badges(run: VlmRun) -> tuple[Badge, ...]:
    found = of_captions(run.result) if run.result else {BROKEN[run.outcome.state]}
    return tuple(ordered(found))


def _with_context(card: SceneCard, fused: FusedScene) -> SceneCard:
    """Add what was heard and seen; all models are told the same of a video."""
    if card.known:
        return card
    return replace(
        card,
        transcript=fused.transcript,
        sounds=tuple(f"{sound.label} {sound.score:.0%}" for sound in fused.sounds),
        objects=tuple(_counted(fused.objects)),
        known=True,
    )


def _counted(detections: Iterable[Detection]) -> list[str]:
    """Object labels, the most frequent first, with how many are in the picture at once."""
    at_once: dict[str, dict[float, int]] = {}
    for detection in detections:
        frames = at_once.setdefault(detection.label, {})
        frames[detection.time_s] = frames.get(detection.time_s, 0) + 1
    most = {label: max(frames.values()) for label, frames in at_once.items()}
    ranked = sorted(most, key=lambda label: -sum(at_once[label].values()))
    return [label if most[label] == 1 else f"{label} ×{most[label]}" for label in ranked]


def _pictures(base: BaseRun, scene: Scene, notebook_folder: Path) -> tuple[Picture, ...]:
    facts = base.result.facts if base.result else None
    shape = facts.display_size if facts else None
    found = []
    times_s = (scene.start_s, scene.middle_s)
    for name, which, time_s in zip(scene.thumbnails, WHICH, times_s, strict=False):
        # Only a bare file name: the records might have been made elsewhere.
        if (path := base.folder / "thumbnails" / Path(name).name).is_file():
            relative = os.path.relpath(path, notebook_folder).replace(os.sep, "/")
            where = f"Scene {scene.index + 1} of {base.planned.title}, {which}"
            told = f"{where}, at {formats.time_code(time_s)}"
            found.append(Picture(quote(relative), told, shape))
    return tuple(found)


def gallery(videos: list[VideoGallery]) -> Html:
    """Every video's scenes as cards."""
    return render("gallery", galleries=videos)
