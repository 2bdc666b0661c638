"""The whole base stage against the earlier way, one thing after another."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

from benchmarks.clips import stream_facts, world_clip, world_truth
from benchmarks.harness import Comparison, Contender, DisagreementError, Trial, compete
from benchmarks.sequential import Findings, Sequential
from benchmarks.table import Page, markdown, rounds_table, times_table
from benchmarks.workshop import Workshop
from kairos_lib.analyzers.objects import Detection
from kairos_lib.analyzers.profile import Base
from kairos_lib.analyzers.sounds import SoundEvent
from kairos_lib.analyzers.speech.segment import Segment
from kairos_lib.errors import KairosError
from kairos_lib.media import audio
from kairos_lib.media.scene import Scene
from kairos_lib.nano.truth import ClipTruth
from kairos_lib.parameters.loading import load
from kairos_lib.pipeline.base_session import BaseSession, base_weights
from kairos_lib.pipeline.records import BaseResult
from kairos_lib.project import Project
from kairos_lib.runs.journal import Journal
from tests.helpers.speech_server import Said, SpeechServer

KAIROS = "Kairos"
SEQUENTIAL = "sequential, the earlier way"
TARGET = 20.0
PER_MINUTE = 3
"""What an Azure deployment of Whisper is given by default."""
# In the earlier pipeline 75 scenes of a video of 7 min 39 s took 688 s, one request each; the
# whole in one chunk was planned at about 60 s. A latency per request and one per second of audio
# give both.
SCENES, LENGTH_S, SCENES_TOOK_S, CHUNK_PLANNED_S = 75, 459.0, 688.0, 60.0
PER_AUDIO_S = (CHUNK_PLANNED_S - SCENES_TOOK_S / SCENES) / (LENGTH_S - LENGTH_S / SCENES)
PER_REQUEST_S = CHUNK_PLANNED_S - PER_AUDIO_S * LENGTH_S
SAME_CUT_S = 1e-6
SAME_SCORE = 1e-4
SAME_BOX = 1e-3
STAGES = (("scenes",), ("speech",), ("audio", "vad", "sounds"), ("objects",))
"""The earlier pipeline's stages, each with the stages that serve it."""


def parse_scale(text: str) -> Fraction:
    """Read a scale such as `1/60` or `0.1`.

    Raises:
        KairosError: It is not a number above 0.
    """
    try:
        scale = Fraction(text)
    except (ValueError, ZeroDivisionError):
        scale = Fraction(0)
    if scale <= 0:
        raise KairosError(f"SCALE={text}: give a fraction such as 1/60")
    return scale


def profile() -> Base:
    """The nano profile, with speech by a service that keeps limits."""
    nano = load(Project.find(), Base, "nano")
    speech = nano.speech.model_copy(update={"engine": "openai", "weights": None})
    return nano.model_copy(update={"name": "stage", "title": "Stage", "speech": speech})


def run(
    cache: Path,
    rounds: int,
    scale: Fraction,
    command: str,
    say: Callable[[str], None],
    limits: tuple[int | None, ...] = (PER_MINUTE, None),
    scenes: int = 75,
    duration_s: float = 480.0,
) -> Page:
    """Measure with each of the limits on requests per minute; none is without one."""
    say("making the video, unless it is there")
    video = world_clip(cache, scenes, duration_s)
    page = Page("The whole base stage", command, rounds)
    page.add(_preamble(scale), f"{stream_facts(video).told()}; {scenes} scenes.")
    for limit in limits:
        heading = f"{limit} requests per minute" if limit else "No limit on requests"
        say(heading)
        comparison = _measure(video, scale, limit, rounds, say)
        whole = comparison.round_ratios(SEQUENTIAL, KAIROS)
        page.add(f"## {heading}", times_table(comparison, KAIROS), _stages_table(comparison))
        verdict = f"Kairos is {whole.told(1)} times as fast"
        if limit:
            reached = "reached" if whole.median >= TARGET else "missed"
            verdict += f"; the target is at least {TARGET:g} and is **{reached}** at this scale"
        page.add(f"{verdict}.", _requests(comparison), rounds_table(comparison))
    return page


def _measure(
    video: Path, scale: Fraction, limit: int | None, rounds: int, say: Callable[[str], None]
) -> Comparison[Findings]:
    truth = world_truth(video)
    with tempfile.TemporaryDirectory() as scratch:
        workshop = Workshop(Path(scratch) / "project")
        wav = Path(scratch) / "whole.wav"
        audio.extract(video, wav)
        said = [Said(line.start_s, line.end_s, line.text) for line in truth.utterances]
        count = iter(range(1_000_000))

        @contextmanager
        def server() -> Iterator[SpeechServer]:
            # A new one each time: no contender finds its minute used up by another.
            with SpeechServer(
                wav,
                said,
                time_scale=float(scale),
                latency_s=PER_REQUEST_S,
                latency_per_audio_s=PER_AUDIO_S,
                requests_per_minute=limit,
            ) as running:
                yield running

        def kairos() -> Findings:
            with server() as running, _surroundings(running.url, scale):
                return _counted(_kairos(workshop, video, limit), running)

        def sequential() -> Findings:
            chosen = profile()
            weights = {
                name: found.path
                for name, found in base_weights(workshop.project, chosen).items()
                if found.path is not None
            }
            slot_s = float(scale) * 60 / limit if limit else None
            with server() as running:
                way = Sequential(video, chosen, weights, running.url, slot_s)
                return _counted(way.run(Path(scratch) / str(next(count))), running)

        return compete(
            [Contender(SEQUENTIAL, sequential), Contender(KAIROS, kairos, workshop.clear)],
            rounds,
            lambda results: agree(results, truth),
            say,
        )


def _kairos(workshop: Workshop, video: Path, limit: int | None) -> Findings:
    chosen = profile()
    speech = chosen.speech.model_copy(update={"requests_per_minute": limit})
    session = workshop.process(video, chosen.model_copy(update={"speech": speech}))
    result = session.run.result(BaseResult)
    if result is None:
        raise KairosError("base processing wrote no result")
    scenes = list(Journal(session.run.file("scenes.jsonl"), Scene))
    texts: list[list[str]] = [[] for _ in scenes]
    for segment in Journal(session.run.file("speech.jsonl"), Segment):
        texts[segment.scene].append(segment.text)
    return Findings(
        cuts_s=tuple(scene.start_s for scene in scenes[1:]),
        transcripts=tuple(" ".join(text) for text in texts),
        sounds=_all(session, "sounds", SoundEvent),
        objects=_all(session, "objects", Detection),
        parts_s={report.name: report.load_s + report.time_s for report in result.stages}
        # Scenes are found while frames are decoded, which is reported beside the stages.
        | {"scenes": result.decode_s},
    )


def _all(session: BaseSession, name: str, kind: type) -> tuple:
    return tuple(Journal(session.run.file(f"{name}.jsonl"), kind))


def _counted(found: Findings, server: SpeechServer) -> Findings:
    found.requests = len(server.requests)
    found.refused = server.rate_violations
    return found


@contextmanager
def _surroundings(url: str, scale: Fraction) -> Iterator[None]:
    """Where the engine looks for its server, and how long a minute is there."""
    from kairos_lib.remote import patience

    names = {"OPENAI_BASE_URL": url, "OPENAI_API_KEY": "benchmark"}
    before = {name: os.environ.get(name) for name in names}
    pace = patience.PACE
    os.environ.update(names)
    patience.PACE = patience.Pace(
        minute_s=pace.minute_s * float(scale),
        first_wait_s=pace.first_wait_s * float(scale),
        longest_wait_s=pace.longest_wait_s * float(scale),
    )
    try:
        yield
    finally:
        patience.PACE = pace
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def agree(results: Mapping[str, Findings], truth: ClipTruth) -> None:
    """See that both ways found the same, and that every word is the truth's.

    Raises:
        DisagreementError: They did not.
    """
    for name, found in results.items():
        if len(found.cuts_s) + 1 != len(truth.scenes):
            raise DisagreementError(
                f"{name} finds {len(found.cuts_s) + 1} scenes of {len(truth.scenes)}"
            )
        for number, (heard, scene) in enumerate(zip(found.transcripts, truth.scenes, strict=True)):
            if heard.split() != scene.transcript.split():
                raise DisagreementError(
                    f"{name} hears {heard!r} in scene {number}, and {scene.transcript!r} is said"
                )
        if not found.sounds or not found.objects:
            raise DisagreementError(f"{name} hears or sees nothing at all")
    one, other = results[SEQUENTIAL], results[KAIROS]
    if any(abs(a - b) > SAME_CUT_S for a, b in zip(one.cuts_s, other.cuts_s, strict=True)):
        raise DisagreementError("the cuts are not at the same times")
    _same_sounds(one.sounds, other.sounds)
    _same_objects(one.objects, other.objects)


def _same_sounds(one: tuple[SoundEvent, ...], other: tuple[SoundEvent, ...]) -> None:
    if [(s.scene, s.label) for s in one] != [(s.scene, s.label) for s in other]:
        raise DisagreementError("the sounds do not have the same labels")
    worst = max((abs(a.score - b.score) for a, b in zip(one, other, strict=True)), default=0.0)
    if worst > SAME_SCORE:
        raise DisagreementError(f"the scores of a sound differ by {worst:.1e}")


def _same_objects(one: tuple[Detection, ...], other: tuple[Detection, ...]) -> None:
    if [(d.scene, d.label) for d in one] != [(d.scene, d.label) for d in other]:
        raise DisagreementError("the objects do not have the same labels in the same scenes")
    for a, b in zip(one, other, strict=True):
        if abs(a.time_s - b.time_s) > SAME_CUT_S:
            raise DisagreementError("the objects were not looked for in the same frames")
        if abs(a.score - b.score) > SAME_BOX or overlap(a, b) < 1 - SAME_BOX:
            raise DisagreementError(f"the {a.label} at {a.time_s:.2f} s is not the same")


def overlap(one: Detection, other: Detection) -> float:
    """Intersection over union of two boxes."""
    width = min(one.box[2], other.box[2]) - max(one.box[0], other.box[0])
    height = min(one.box[3], other.box[3]) - max(one.box[1], other.box[1])
    shared = max(0.0, width) * max(0.0, height)
    areas = [(d.box[2] - d.box[0]) * (d.box[3] - d.box[1]) for d in (one, other)]
    return shared / (sum(areas) - shared)


def _stages_table(comparison: Comparison[Findings]) -> str:
    rows = []
    for parts in STAGES:

        def seconds(trial: Trial[Findings], parts: tuple[str, ...] = parts) -> float:
            return sum(trial.result.parts_s.get(part, 0.0) for part in parts)

        rows.append(
            [
                " + ".join(parts),
                comparison.spread(SEQUENTIAL, seconds).told(),
                comparison.spread(KAIROS, seconds).told(),
                comparison.round_ratios(SEQUENTIAL, KAIROS, seconds).told(1),
            ]
        )
    rows.append(
        [
            "whole, wall time",
            comparison.spread(SEQUENTIAL).told(),
            comparison.spread(KAIROS).told(),
            comparison.round_ratios(SEQUENTIAL, KAIROS).told(1),
        ]
    )
    note = (
        "Kairos's stages run at once and share two passes, so that their times overlap and do not "
        "add up to the whole; `scenes` is its one pass over the frames, thumbnails included."
    )
    table = markdown(["", f"{SEQUENTIAL}, s", "Kairos, s", "ratio by round"], rows)
    return f"{table}\n\n{note}"


def _requests(comparison: Comparison[Findings]) -> str:
    told = []
    for name, trials in comparison.trials.items():
        sent = sorted({trial.result.requests for trial in trials})
        refused = max(trial.result.refused for trial in trials)
        told.append(
            f"{name}: {' or '.join(map(str, sent))} requests a round, at most {refused} refused"
        )
    return f"{'; '.join(told)}."


def _preamble(scale: Fraction) -> str:
    return (
        f"All of the speech server's times are multiplied by **{scale}**; local computing is not, "
        "so that at a smaller scale it weighs more than in life and the ratio is another. In its "
        f"own time the server takes {PER_REQUEST_S:.2f} s for a request and {PER_AUDIO_S:.4f} s "
        "for each second of audio: solved from what the earlier pipeline took, 688 s for 75 scenes "
        "with one request each (9.2 s for 6.1 s of audio), and about 60 s planned for the whole "
        "7 min 39 s in one. It answers from the clip's truth by time. Both use the nano models "
        "for sounds and objects, load them within the clock, and run in this one process. The "
        "sequential one detects scenes with OpenCV, cuts a WAV file for each scene, sends one "
        "request for each after the answer to the one before (and, under the limit, 20 s of the "
        "server's time after it), scores one scene at a time with speech cut out, and detects in "
        "one frame at a time of a second pass over the video. It is given the same voice spans, "
        "resampled audio and scaled frames as Kairos. Before any time is told, every round is "
        "checked: the same cuts, each scene's transcript word for word the truth's, the same "
        f"sounds (scores within {SAME_SCORE:g}) and the same objects in the same frames (score and "
        f"overlap within {SAME_BOX:g})."
    )
