"""Why scenes of one video take longer than those of another: what tokens explain, and what not."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, median
from typing import TYPE_CHECKING

from kairos_lib import formats
from kairos_lib.errors import KairosError
from kairos_lib.formats import MISSING
from kairos_lib.media.scene import scene_number
from kairos_lib.report.page.html import Html, joined, render
from kairos_lib.report.sections.badges import pills
from kairos_lib.report.sections.tables import MODEL, NOTES, VIDEO, Cell, Column, table
from kairos_lib.results.caption_wording import Wording, wording
from kairos_lib.results.suite import SuiteData
from kairos_lib.results.summary import Pair, pairs
from kairos_lib.runs.journal import Journal
from kairos_lib.vlm.records import Caption

if TYPE_CHECKING:
    from kairos_lib.results.token_times import Fit, SceneTime, Slope

SCENES_SHOWN = 20
NOT_EXPLAINED = "not explained by tokens"
NOISE = "noise"
WHY = {"constant": "always the same", "collinear": "goes with the others", "few": "too few scenes"}


@dataclass(frozen=True)
class Explained:
    """One model on all its videos."""

    model: str
    title: str
    pairs: tuple[Pair, ...]
    times: tuple[SceneTime, ...]
    """For each scene that was captioned on its own, the median of the repeats."""
    fit: Fit | None
    """None if there are too few scenes."""


def explained(suite: SuiteData) -> list[Explained]:
    """How well tokens explain each model's times, one scene at a time."""
    from kairos_lib.results.token_times import fit

    by_model: dict[str, list[Pair]] = defaultdict(list)
    for pair in pairs(suite):
        if pair.results:
            by_model[pair.model].append(pair)
    found = []
    for model, own in by_model.items():
        times = tuple(time for pair in own for time in _times(pair))
        found.append(Explained(model, own[0].model_title, tuple(own), times, fit(times)))
    return found


def anomalies(suite: SuiteData) -> Html | None:
    """What tokens explain of the differences, what remains, and how captions are worded."""
    models = explained(suite)
    if not models:
        return None
    lines = [line for model in models for line in sentences(model)]
    return joined(
        render("findings", lines=lines), _slopes(models), _videos(models), _scenes(models)
    )


def _times(pair: Pair) -> Iterator[SceneTime]:
    """Times of the repeats that were not resumed."""
    from kairos_lib.results.token_times import SceneTime

    by_scene: dict[int, list[Caption]] = defaultdict(list)
    for run in pair.runs:
        if run.result is not None and run.result.single_stream.parts == 1:
            for caption in _captions(run.folder / "single_stream.jsonl"):
                by_scene[caption.scene].append(caption)
    for scene, captions in sorted(by_scene.items()):
        yield SceneTime(
            video=pair.video,
            scene=scene,
            seconds=median(caption.timing.total_s for caption in captions),
            new=fmean(caption.new_tokens for caption in captions),
            prompt=fmean(caption.prompt_tokens for caption in captions),
            visual=fmean(caption.visual_tokens for caption in captions),
        )


def _captions(path: Path) -> Iterator[Caption]:
    """Captions that did not fail; a damaged file is read up to the damage."""
    try:
        yield from (caption for caption in Journal(path, Caption) if not caption.error)
    except KairosError:
        return


def sentences(model: Explained) -> list[str]:
    """The findings on a model in words."""
    fit, count = model.fit, formats.count(len(model.times), "scene")
    if fit is None:
        return [
            f"{model.title}: {count} captioned one at a time, without interruption: too few scenes "
            "to fit."
        ]
    titles = {pair.video: pair.title for pair in model.pairs}
    means_s = _means_s(model)
    slow, fast = max(means_s, key=means_s.__getitem__), min(means_s, key=means_s.__getitem__)
    if len(means_s) == 1:
        first = (
            f"{model.title}: one video, so no difference between videos to explain. Token counts "
            f"explain {fit.explained_scenes:.0%} of the variation between {count}."
        )
    elif fit.explained_videos is None:
        first = (
            f"{model.title}: a scene takes about as long in each of "
            f"{formats.count(len(means_s), 'video')}: there is no difference to explain."
        )
    else:
        first = (
            f"{model.title}: a scene of {titles[slow]} takes {means_s[slow] / means_s[fast]:.1f} "
            f"times as long as one of {titles[fast]} ({formats.work(means_s[slow])} against "
            f"{formats.work(means_s[fast])}). Token counts explain {fit.explained_videos:.0%} of "
            f"the difference between {formats.count(len(means_s), 'video')} ({count})"
        )
        first += (
            "."
            if fit.pinned or not fit.slopes
            else ", but within a video they vary too little to separate their effect from other "
            "differences between the videos."
        )
    odd = [
        f"{model.title}: {titles[one.video]} takes {_times_as(one.ratio)} what its tokens take in "
        f"the other videos: {NOT_EXPLAINED}."
        for one in fit.odd_videos
    ]
    scenes = len(fit.odd_scenes)
    single = (
        f"{model.title}: {formats.count(scenes, 'single scene')} of {count} "
        f"{'is' if scenes == 1 else 'are'} {NOT_EXPLAINED}, and left out of the fit."
    )
    return [first, *odd, *([single] if scenes else [])]


def _means_s(model: Explained) -> dict[str, float]:
    by_video: dict[str, list[float]] = defaultdict(list)
    for time in model.times:
        by_video[time.video].append(time.seconds)
    return {video: fmean(seconds) for video, seconds in by_video.items()}


def _times_as(ratio: float) -> str:
    return f"{ratio:.1f} times" if ratio >= 0.995 else f"{ratio:.2f} times"


def _slopes(models: list[Explained]) -> Html | None:
    columns = (
        MODEL,
        Column("Scenes", explanation="Captioned one at a time, of all videos"),
        Column("Without tokens", explanation="Time of a scene without any tokens"),
        Column("Per new token", explanation="With its 95 % interval (HC3 errors)"),
        Column("Per prompt token", explanation="All of the prompt, visual ones included"),
        Column("Per visual token", explanation="In addition to the time of any prompt token"),
        Column("Between scenes", explanation="Share of the variation that tokens explain (R²)"),
        Column("Between videos", explanation="Share of the variation of the videos' means"),
        NOTES,
    )

    def row(model: Explained, fit: Fit) -> tuple[Cell, ...]:
        between = fit.explained_videos
        return (
            model.title,
            f"{fit.scenes:,}",
            formats.milliseconds(fit.base_s),
            *(
                _slope(fit.slopes[token]) if token in fit.slopes else WHY[fit.dropped[token]]
                for token in ("new", "prompt", "visual")
            ),
            formats.share(fit.explained_scenes),
            MISSING if between is None else formats.share(between),
            pills(badge for pair in model.pairs for badge in pair.badges),
        )

    return table(
        "What a scene's time depends on: least squares on its tokens",
        columns,
        (row(model, model.fit) for model in models if model.fit is not None),
    )


def _slope(slope: Slope) -> Cell:
    value = formats.milliseconds(slope.seconds)
    if slope.low is None or slope.high is None:
        return render("measure", value=value, note="interval not known")
    note = f"{formats.milliseconds(slope.low)} to {formats.milliseconds(slope.high)}"
    return render("measure", value=value, note=note)


def _videos(models: list[Explained]) -> Html | None:
    columns = (
        MODEL,
        VIDEO,
        Column("Per scene", explanation="Mean, one scene at a time"),
        Column("By tokens", explanation="What the fit predicts from the tokens"),
        Column("Ratio", explanation="Of the two"),
        Column("New tokens", explanation="Mean of a caption"),
        Column("Prompt tokens", explanation="Mean, visual ones included"),
        Column("Visual tokens", explanation="Mean of a scene"),
        Column("Words", explanation="Mean of a caption, of all scenes"),
        Column("Different words", explanation="Out of all words of the video's captions"),
        Column("Repeated", explanation="Runs of three words that occurred before"),
        Column("Cut off", explanation="Captions cut off by the limit on new tokens"),
        NOTES,
    )

    def row(model: Explained, pair: Pair) -> tuple[Cell, ...]:
        own = [time for time in model.times if time.video == pair.video]
        return (
            pair.model_title, pair.title, *_against_tokens(model, pair, own),
            *_mean_tokens(own), *_worded(pair), pills(pair.badges),
        )  # fmt: skip

    return table(
        "Time, tokens and words of each video",
        columns,
        (row(model, pair) for model in models for pair in model.pairs),
    )


def _against_tokens(model: Explained, pair: Pair, own: list[SceneTime]) -> tuple[Cell, ...]:
    if not own:
        return (MISSING,) * 3
    mean_s = fmean(time.seconds for time in own)
    if model.fit is None:
        return formats.work(mean_s), MISSING, MISSING
    expected_s = model.fit.expected_s[pair.video]
    ratio: Cell = f"{mean_s / expected_s:.2f}" if expected_s > 0 else MISSING
    if pair.video in {odd.video for odd in model.fit.odd_videos}:
        ratio = render("measure", value=ratio, note=NOT_EXPLAINED)
    return formats.work(mean_s), formats.work(max(0.0, expected_s)), ratio


def _mean_tokens(own: list[SceneTime]) -> tuple[str, ...]:
    if not own:
        return (MISSING,) * 3
    counts = [[getattr(time, token) for time in own] for token in ("new", "prompt", "visual")]
    # A server does not report them.
    return tuple(f"{fmean(count):,.0f}" if any(count) else MISSING for count in counts)


def _worded(pair: Pair) -> tuple[str, ...]:
    """How the captions of the offline scenario are worded."""
    if any(result.weights_source == "dummy" for result in pair.results):
        return (NOISE,) * 4
    found: Wording = wording(_captions(pair.shown.folder / "captions.jsonl"))
    if not found.captions:
        return (MISSING,) * 4
    each, repetition = found.words_per_caption, found.repetition
    return (
        f"{each:.0f}",
        f"{found.distinct_words:,} of {found.words:,}",
        MISSING if repetition is None else formats.share(repetition),
        f"{found.truncated:,} of {found.captions:,}",
    )


def _scenes(models: list[Explained]) -> Html | None:
    columns = (
        MODEL, VIDEO, Column("Scene"), Column("Took"),
        Column("Expected", explanation="By its tokens and the other scenes of its video"),
        Column("Ratio"), Column("New tokens"), Column("Prompt tokens"),
    )  # fmt: skip
    found = [
        (model, odd) for model in models if model.fit is not None for odd in model.fit.odd_scenes
    ]
    found.sort(key=lambda one: -abs(one[1].z))
    titles = {pair.video: pair.title for model in models for pair in model.pairs}
    more = (
        f": the {SCENES_SHOWN} furthest off of {len(found):,}" if len(found) > SCENES_SHOWN else ""
    )
    return table(
        f"Scenes whose time is {NOT_EXPLAINED}{more}",
        columns,
        (
            (
                model.title, titles[odd.time.video], f"{scene_number(odd.time.scene)}",
                formats.work(odd.time.seconds), formats.work(max(0.0, odd.expected_s)),
                f"{odd.time.seconds / odd.expected_s:.1f}" if odd.expected_s > 0 else MISSING,
                f"{odd.time.new:,.0f}", f"{odd.time.prompt:,.0f}",
            )
            for model, odd in found[:SCENES_SHOWN]
        ),
    )  # fmt: skip
