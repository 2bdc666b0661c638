"""The essentials: which model, how fast, and what it writes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime

from kairos_lib import formats
from kairos_lib.report.page.html import Html, render
from kairos_lib.report.sections.gallery import Picture, SceneCard, VideoGallery
from kairos_lib.results.badges import Badge, ordered
from kairos_lib.results.ranked_models import KEEPS_UP
from kairos_lib.results.spotted import Spotted
from kairos_lib.results.suite import SuiteData
from kairos_lib.results.summary import Pair, pairs


@dataclass(frozen=True)
class ModelGlance:
    """One model over the whole suite, in a few figures."""

    title: str
    badges: tuple[tuple[Badge, str], ...]
    """Each with the number of videos it applies to, if not all."""
    rtf: float | None
    """Sum of VLM times by sum of lengths, over the videos whose time counts in statistics."""
    pace: str
    """The real-time factor in words, or why there is none."""
    facts: tuple[str, ...]
    quote: str
    """Its caption of the scene that is shown; empty if it wrote none."""


@dataclass(frozen=True)
class Sample:
    """The one scene for which all models are quoted."""

    title: str
    anchor: str
    where: str
    pictures: tuple[Picture, ...]


def masthead(suite: SuiteData) -> Html:
    """Title, dates and extent of the suite."""
    plan = suite.manifest
    models = {run.model for run in plan.runs}
    parts = [
        formats.count(len(models), "model"),
        formats.count(len(plan.bases), "video"),
        *([formats.count(plan.repeats, "repeat")] if plan.repeats > 1 else []),
    ]
    measured = _days(run.status.ended_at for run in suite.everything if run.status is not None)
    return render(
        "masthead",
        title=plan.title,
        extent=" × ".join(parts),
        measured=measured,
        written=_day(date.today()),
    )


def events_masthead(suite: SuiteData, spotted: list[Spotted]) -> Html:
    """Title, dates and extent of a suite that spots events."""
    parts = [
        formats.count(len({one.planned.model for one in spotted}), "model"),
        formats.count(len({one.planned.video for one in spotted}), "video"),
    ]
    measured = _days(run.status.ended_at for run in suite.everything if run.status is not None)
    return render(
        "masthead",
        title=suite.manifest.title,
        extent=" × ".join(parts),
        measured=measured,
        written=_day(date.today()),
    )


def left_out(suite: SuiteData) -> Html | None:
    """Videos that could not be used, and why; None if all could."""
    reasons = [
        f"{base.planned.title} ({base.outcome.message})"
        for base in suite.bases
        if base.planned.problem
    ]
    return (
        render("remark", text=f"Left out of all that follows: {'; '.join(reasons)}.")
        if reasons
        else None
    )


def lacking(suite: SuiteData) -> Html | None:
    """Stages without weights, and how to get these; None if all had theirs."""
    wanting: dict[tuple[str, str], list[str]] = {}
    for base in suite.bases:
        for stage in base.stages:
            if stage.remedy:
                wanting.setdefault((stage.name, stage.remedy), []).append(base.planned.title)
    if not wanting:
        return None
    stages = dict.fromkeys(name for name, _ in wanting)
    remedies = dict.fromkeys(remedy for _, remedy in wanting)
    titles = dict.fromkeys(title for titles in wanting.values() for title in titles)
    where = "" if len(titles) == len(suite.bases) else f" of {', '.join(titles)}"
    text = (
        f"Skipped in base processing{where}, as their weights are not on this machine: "
        f"{', '.join(stages)}. Models got no findings of these stages; {'; '.join(remedies)}, "
        "and bench again."
    )
    return render("remark", text=text)


def _days(moments: Iterable[str]) -> str:
    """From the first day to the last."""
    days = sorted({datetime.fromisoformat(moment).date() for moment in moments if moment})
    if not days:
        return ""
    return _day(days[0]) if days[0] == days[-1] else f"{_day(days[0])} – {_day(days[-1])}"


def _day(day: date) -> str:
    return f"{day.day} {day:%B %Y}"


def glance(suite: SuiteData, videos: list[VideoGallery]) -> Html:
    """A card for each model, all quoted on the same scene."""
    by_model: dict[str, list[Pair]] = {}
    for pair in pairs(suite):
        by_model.setdefault(pair.model, []).append(pair)
    shown = _best_scene(videos)
    models = [_glance(of_model, shown) for of_model in by_model.values()]
    return render("glance", models=models, sample=_sample(shown) if shown else None)


def _best_scene(videos: list[VideoGallery]) -> tuple[VideoGallery, SceneCard] | None:
    """The scene that most models wrote about; on a tie, the first with pictures."""
    candidates = [(video, card) for video in videos for card in video.cards]
    best = max(candidates, key=lambda c: (_answers(c[1]), len(c[1].pictures)), default=None)
    return best if best and _answers(best[1]) else None


def _answers(card: SceneCard) -> int:
    return sum(1 for said in card.said if said.caption is not None and said.caption.text)


def _sample(shown: tuple[VideoGallery, SceneCard]) -> Sample:
    video, card = shown
    number = card.scene.number
    return Sample(
        title=f"Scene {number} of {video.title}",
        anchor=f"scene-{video.video}-{number}",
        where=f"{formats.time_code(card.scene.start_s)}–{formats.time_code(card.scene.end_s)}",
        pictures=card.pictures[-1:],
    )


def _glance(of_model: list[Pair], shown: tuple[VideoGallery, SceneCard] | None) -> ModelGlance:
    timed = [
        (pair, time_s)
        for pair in of_model
        if (time_s := pair.vlm_time_s) and time_s.n and pair.length_s
    ]
    length_s = sum(pair.length_s or 0.0 for pair, _ in timed)
    vlm_time_s = sum(time_s.value for _, time_s in timed)
    facts = []
    if timed:
        scenes = sum(pair.scenes or 0 for pair, _ in timed)
        facts.append(f"{formats.work(vlm_time_s)} for {formats.length(length_s)} of video")
        facts.append(formats.count(scenes, "scene"))
    if len(timed) < len(of_model):
        facts.append(f"a time of {len(timed)} of {formats.count(len(of_model), 'video')}")
    devices = Counter(result.device for pair in of_model for result in pair.results)
    facts.extend(devices)
    quote = ""
    if shown:
        captions = [
            said.caption.text
            for said in shown[1].said
            if said.model == of_model[0].model and said.caption is not None
        ]
        quote = captions[0] if captions else ""
    return ModelGlance(
        title=of_model[0].model_title,
        badges=tuple(_spread(of_model)),
        rtf=vlm_time_s / length_s if length_s else None,
        pace=_pace([pair for pair, _ in timed]) if timed else of_model[0].fitness.why,
        facts=tuple(facts),
        quote=quote,
    )


def _pace(timed: list[Pair]) -> str:
    """Whether a model keeps up, in words consistent with the verdict."""
    rtfs = [rtf.value for pair in timed if (rtf := pair.rtf)]
    times_s = [time_s.value for pair in timed if (time_s := pair.vlm_time_s)]
    if max(rtfs) <= KEEPS_UP:
        pace = "keeps up with the video"
    elif sum(times_s) <= KEEPS_UP * sum(pair.length_s or 0.0 for pair in timed):
        pace = "keeps up over all, not with every video"
    else:
        pace = "slower than the video"
    return f"{pace}, on another machine" if any(pair.fitness.why for pair in timed) else pace


def _spread(of_model: list[Pair]) -> Iterator[tuple[Badge, str]]:
    """Badges of a model, each with the number of its videos that it applies to."""
    for badge in ordered(badge for pair in of_model for badge in pair.badges):
        count = sum(badge in pair.badges for pair in of_model)
        yield badge, "" if count == len(of_model) else f"{count} of {len(of_model)} videos"
