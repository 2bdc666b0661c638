"""Implements `kairos export`: chooses runs and file names, and reports what was left out.

Does not know the formats. All files go into one folder; their names are made of names in the run
folders, none of which can lead out of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from kairos_lib import formats
from kairos_lib.errors import KairosError, closest
from kairos_lib.pipeline.records import BaseResult
from kairos_lib.pipeline.scene_analysis import VideoFindings
from kairos_lib.publish import coco, cues, events, whole
from kairos_lib.publish.chosen import Chosen, LeftOut, captioned, choose, label, no_result
from kairos_lib.publish.names import FileNames
from kairos_lib.results.badges import (
    NANO,
    OUTSIDE_BASE,
    Badge,
    of_base,
    of_captions,
    of_events,
    of_run,
    ordered,
)
from kairos_lib.results.step_runs import BaseRun
from kairos_lib.results.suite import SuiteData
from kairos_lib.results.summary import Pair
from kairos_lib.runs.files import write_bytes
from kairos_lib.runs.journal import Journal
from kairos_lib.subtitles import srt, webvtt
from kairos_lib.vlm.records import FusedScene

SUBTITLES = ("srt", "vtt")
FORMATS = (*SUBTITLES, "coco", "json", *events.WRITERS)


@dataclass(frozen=True)
class Wanted:
    """What to export."""

    formats: tuple[str, ...]
    """Of `FORMATS`."""
    models: tuple[str, ...] = ()
    """Names or patterns; all of the suite's if empty."""
    videos: tuple[str, ...] = ()
    """Likewise."""
    transcript: bool = False
    """Whether speech gets separate subtitles."""


@dataclass(frozen=True)
class Written:
    """A file."""

    path: Path
    holds: str
    """Its contents: `12 captions`."""


def export(suite: SuiteData, wanted: Wanted, folder: Path) -> Iterator[Written | LeftOut]:
    """Write files, one after the other, each atomically.

    Args:
        suite: The runs.
        wanted: Which of them, and how.
        folder: The target; created if necessary. Files of the same names in it are replaced.

    Raises:
        KairosError: Something requested does not exist, or the folder cannot be created.
    """
    chosen = _chosen(suite, wanted)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise KairosError(
            f"OUT={folder} cannot be a folder ({error.strerror}): name another"
        ) from error
    return _export(suite, wanted, chosen, folder)


def _chosen(suite: SuiteData, wanted: Wanted) -> Chosen:
    """The requested part of a suite."""
    for name in wanted.formats:
        if name not in FORMATS:
            raise KairosError(f"unknown format '{name}': {closest(name, FORMATS, list_known=True)}")
    if not wanted.formats:
        raise KairosError(f"FORMAT is not given: name one of {', '.join(FORMATS)}")
    if wanted.transcript and not set(wanted.formats) & set(SUBTITLES):
        raise KairosError("TRANSCRIPT goes with FORMAT=srt or vtt; json has it in any case")
    if wanted.models and set(wanted.formats) == {"coco"}:
        raise KairosError("FORMAT=coco exports base processing, not a MODEL: leave MODEL out")
    return choose(suite, wanted.models, wanted.videos)


def _export(
    suite: SuiteData, wanted: Wanted, chosen: Chosen, folder: Path
) -> Iterator[Written | LeftOut]:
    names = FileNames()
    for ending in wanted.formats:
        if ending in SUBTITLES:
            for pair in chosen.pairs:
                name = names.take(pair.video, pair.model, ending)
                yield _tried(label(pair), partial(_captions, suite, pair, folder / name))
        if ending in SUBTITLES and wanted.transcript:
            for base in chosen.bases:
                name = names.take(base.planned.video, "transcript", ending)
                what = f"speech of {base.planned.title}"
                yield _tried(what, partial(_speech, suite, base, folder / name))
        if ending == "coco":
            yield from _coco(suite, chosen.bases, folder, names)
        if ending == "json":
            yield from _whole(suite, chosen, folder, names)
        if ending in events.WRITERS:
            yield from _events(suite, ending, chosen, folder, names)


def _tried(what: str, write: Callable[[], Written | LeftOut]) -> Written | LeftOut:
    """Write one file; unreadable records are reported, and the other files are still written."""
    try:
        return write()
    except KairosError as error:
        return LeftOut(what, str(error))


def _captions(suite: SuiteData, pair: Pair, path: Path) -> Written | LeftOut:
    result = pair.shown.result
    if result is None:
        return LeftOut(label(pair), no_result(pair.shown))
    known = cues.of_captions(
        Journal(pair.shown.folder / "fused.jsonl", FusedScene),
        _texts(of_captions(result)),
    )
    if not known:
        return LeftOut(label(pair), "it has no captions")
    badges = of_run(pair.shown, suite)
    note = f"Captions of {pair.title} by {pair.model_title}, one for each scene."
    text = srt(known) if path.suffix == ".srt" else webvtt(known, [note, *_texts(badges)])
    write_bytes(path, text.encode())
    holds = formats.count(len(known), "caption")
    if len(known) < result.scenes:
        holds += f" of {formats.count(result.scenes, 'scene')}"
    return Written(path, _with(holds, badges))


def _speech(suite: SuiteData, base: BaseRun, path: Path) -> Written | LeftOut:
    what = f"speech of {base.planned.title}"
    if why := _stage_missing(base, "speech"):
        return LeftOut(what, why)
    badges = of_base(base, suite)
    meaning = badges & {OUTSIDE_BASE, NANO}
    known = cues.of_speech(VideoFindings(base.folder), _texts(meaning))
    if not known:
        return LeftOut(what, "none was found")
    note = f"Transcript of {base.planned.title}."
    text = srt(known) if path.suffix == ".srt" else webvtt(known, [note, *_texts(badges)])
    write_bytes(path, text.encode())
    holds = formats.count(len(known), "stretch of speech", "stretches of speech")
    return Written(path, _with(holds, badges))


def _stage_missing(base: BaseRun, stage: str) -> str:
    """Why a stage has no results; empty if it has."""
    if base.result is None:
        return no_result(base)
    report = next((report for report in base.result.stages if report.name == stage), None)
    if report is None:
        return f"its base profile has no stage {stage}"
    return "" if report.state == "done" else f"{stage} {report.state}: {report.reason}"


def _coco(
    suite: SuiteData, bases: list[BaseRun], folder: Path, names: FileNames
) -> Iterator[Written | LeftOut]:
    known: list[tuple[BaseRun, BaseResult, VideoFindings]] = []
    labels: set[str] = set()
    for base in bases:
        what = f"objects in {base.planned.title}"
        why = _stage_missing(base, "objects")
        if why or base.result is None:
            yield LeftOut(what, why)
            continue
        try:
            found = VideoFindings(base.folder)
        except KairosError as error:
            yield LeftOut(what, str(error))
            continue
        if own := coco.labels(found):
            labels |= own
            known.append((base, base.result, found))
        else:
            yield LeftOut(what, "none were found")
    for base, result, found in known:
        path = folder / names.take(base.planned.video, "coco", "json")
        boxes, frames = coco.write(path, result, found, coco.numbered(labels))
        holds = f"{formats.count(boxes, 'box', 'boxes')} in {formats.count(frames, 'frame')}"
        yield Written(path, _with(holds, of_base(base, suite)))


def _whole(
    suite: SuiteData, chosen: Chosen, folder: Path, names: FileNames
) -> Iterator[Written | LeftOut]:
    for base in chosen.bases:
        said, left_out = captioned(chosen, base.planned.video)
        yield from left_out
        if base.result is None:
            yield LeftOut(base.planned.title, no_result(base))
            continue
        path = folder / names.take(base.planned.video, "kairos", "json")
        write = partial(whole.write, path, suite, base, base.result, said)
        yield _tried(base.planned.title, partial(_one_video, path, write, len(said)))


def _events(
    suite: SuiteData, kind: str, chosen: Chosen, folder: Path, names: FileNames
) -> Iterator[Written | LeftOut]:
    there = False
    for one, path, why in events.write(suite, kind, chosen.models, chosen.videos, folder, names):
        there = True
        if path is None:
            yield LeftOut(one.planned.in_words, why)
        else:
            holds = formats.count(len(one.events), "event")
            yield Written(path, _with(holds, of_events(one.run, one.result, suite)))
    if not there:
        yield LeftOut(f"FORMAT={kind}", "this suite looked for no events: make events does")


def _one_video(path: Path, write: Callable[[], int], models: int) -> Written:
    counts = f"{formats.count(write(), 'scene')}, {formats.count(models, 'model')}"
    return Written(path, counts)


def _with(holds: str, badges: set[Badge]) -> str:
    """A file's contents, and what a reader must know about them."""
    return f"{holds} ({'; '.join(_texts(badges))})" if badges else holds


def _texts(badges: set[Badge]) -> list[str]:
    return [badge.text for badge in ordered(badges)]
