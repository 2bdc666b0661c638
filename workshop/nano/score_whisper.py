"""Scores the nano Whisper on unseen clips: `python -m workshop.nano.score_whisper`.

The whole way of a user's run: a clip is rendered and encoded, its audio extracted, its voices
found by Silero's detector and its speech transcribed by the stages of base processing. Needs
espeak-ng.
"""

from __future__ import annotations

import logging
import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import click

from kairos_lib.analyzers.profile import Base
from kairos_lib.analyzers.speech.segment import Segment
from kairos_lib.analyzers.speech.settings import SpeechSettings
from kairos_lib.media.scene import Scene
from kairos_lib.media.video import probe
from kairos_lib.nano.script import random_script
from kairos_lib.nano.truth import CLIPS, ClipTruth, Utterance
from kairos_lib.pipeline.graph import Graph
from kairos_lib.pipeline.records import StageReport
from kairos_lib.pipeline.stage_reports import require
from kairos_lib.runs.files import write_record
from kairos_lib.runs.journal import Journal
from kairos_lib.weights.location import Found
from workshop.nano.clip import make_clip
from workshop.nano.demos import demo_names
from workshop.nano.scoring import Line
from workshop.nano.unseen import Processed
from workshop.nano.utterances import held_out
from workshop.nano.whisper import WEIGHTS
from workshop.nano.word_errors import WordErrors, word_errors

log = logging.getLogger("kairos.nano")
CLOSE_S = 0.1
"""What a subtitle's reader would not notice."""


@dataclass
class Tally:
    """What was heard of many clips."""

    errors: dict[str, WordErrors] = field(default_factory=lambda: defaultdict(WordErrors))
    """By a name for the kind of sentence."""
    starts_off_s: list[float] = field(default_factory=list)
    ends_off_s: list[float] = field(default_factory=list)
    sentences: int = 0
    apart: int = 0
    """Sentences that had a segment of their own."""

    def add(self, truth: ClipTruth, segments: list[Segment]) -> None:
        """Count a clip. A segment belongs to the sentence it overlaps most, or to none."""
        heard: dict[Utterance | None, list[Segment]] = defaultdict(list)
        for segment in segments:
            said = [u for u in truth.utterances if _overlap_s(u, segment) > 0]
            heard[max(said, key=lambda u: _overlap_s(u, segment)) if said else None].append(segment)
        for utterance in truth.utterances:
            own = heard[utterance]
            errors = word_errors(utterance.text, " ".join(segment.text for segment in own))
            self.sentences += 1
            for kind in (
                "all",
                f"voice {utterance.voice}",
                "sentences kept out of training"
                if held_out(utterance.text)
                else "sentences of training, spoken anew",
            ):
                self.errors[kind] += errors
            if len(own) == 1:
                self.apart += 1
                self.starts_off_s.append(abs(own[0].start_s - utterance.start_s))
                self.ends_off_s.append(abs(own[0].end_s - utterance.end_s))
            if errors.count:
                log.debug("%s: %r heard as %r", truth.name, utterance.text, own)
        for segment in heard[None]:
            self.errors["all"] += word_errors("", segment.text)
            log.debug("%s: heard what nobody said: %r", truth.name, segment)


def lines(clips: Sequence[Processed]) -> list[Line]:
    """Words heard right, as one less the word error rate, and how close the times are."""
    tally = Tally()
    for clip in clips:
        tally.add(clip.truth, clip.found("speech", Segment))
    everything = tally.errors["all"]
    off_s = sorted([*tally.starts_off_s, *tally.ends_off_s])
    close = sum(off <= CLOSE_S for off in off_s) / max(len(off_s), 1)
    of = f"{everything.words} words"
    return [
        Line("whisper", "1 - word error rate", 1 - everything.rate, 0.9, of),
        Line("whisper", f"times within {CLOSE_S} s", close, None, f"{len(off_s)} times"),
    ]


def transcribe(video: Path, folder: Path, weights: Path, beam_size: int) -> list[Segment]:
    """Transcribe a video by the stages of base processing that listen.

    Its pictures are not looked at: the whole of it counts as one scene.

    Args:
        video: The clip.
        folder: A folder of its own for what the stages write.
        weights: A CTranslate2 folder.
        beam_size: Hypotheses to keep.
    """
    speech = SpeechSettings(language="en", beam_size=beam_size)
    facts = probe(video, video.name)
    whole = Scene(index=0, start_s=0.0, end_s=facts.duration_s)
    Journal(folder / "scenes.jsonl", Scene).write_all(iter((whole,)))
    write_record(folder / "scenes.json", StageReport(name="scenes", state="done", time_s=0.0))
    graph = Graph(
        video=video,
        facts=facts,
        profile=Base.model_validate(
            {"name": "score", "title": "Score", "stages": ("speech",), "speech": speech}
        ),
        folder=folder,
        weights={"speech": Found("score", weights)},
        progress=lambda stage, done, total: None,
    )
    require(graph.run())
    return list(Journal(folder / "speech.jsonl", Segment))


@click.command()
@click.option("--clips", default=30, show_default=True, help="Unseen clips of six scenes each.")
@click.option("--first-seed", default=700, show_default=True, help="Seed of the first clip.")
@click.option("--demos", is_flag=True, help="Score the demo clips instead.")
@click.option("--beam-size", default=5, show_default=True)
@click.option("--weights", type=click.Path(path_type=Path), default=WEIGHTS, show_default=True)
@click.option("--verbose", is_flag=True, help="Tell every sentence that was not heard right.")
def main(
    clips: int, first_seed: int, demos: bool, beam_size: int, weights: Path, verbose: bool
) -> None:
    """Score the nano Whisper on clips that it has never heard."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    log.setLevel(logging.DEBUG if verbose else logging.INFO)
    logging.getLogger("faster_whisper").setLevel(logging.WARNING)
    tally = Tally()
    began_s, sound_s = time.perf_counter(), 0.0
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        if demos:
            clips_and_truths = [(CLIPS / f"{n}.mp4", ClipTruth.of_demo(n)) for n in demo_names()]
        else:
            scripts = [random_script(seed) for seed in range(first_seed, first_seed + clips)]
            clips_and_truths = [
                (folder / f"{script.name}.mp4", make_clip(script, folder)) for script in scripts
            ]
        log.info("%d clips after %.0f s", len(clips_and_truths), time.perf_counter() - began_s)
        began_s = time.perf_counter()
        for video, truth in clips_and_truths:
            tally.add(truth, transcribe(video, folder / truth.name, weights, beam_size))
            sound_s += truth.duration_s
    _tell(tally, sound_s, time.perf_counter() - began_s)


def _tell(tally: Tally, sound_s: float, took_s: float) -> None:
    log.info("%-36s %6s %6s %5s %5s %5s", "", "words", "WER", "subst", "ins", "del")
    for kind, errors in sorted(tally.errors.items()):
        counts = (errors.substitutions, errors.insertions, errors.deletions)
        log.info("%-36s %6d %6.3f %5d %5d %5d", kind, errors.words, errors.rate, *counts)
    log.info("%d of %d sentences have a segment each", tally.apart, tally.sentences)
    for edge, off_s in (("starts", tally.starts_off_s), ("ends", tally.ends_off_s)):
        ordered = sorted(off_s)
        if ordered:
            median, most = ordered[len(ordered) // 2], ordered[int(len(ordered) * 0.95)]
            log.info("%s are off by %.3f s (median), %.3f s (95 %%)", edge, median, most)
    log.info("%.0f s of sound in %.0f s, loading and all", sound_s, took_s)


def _overlap_s(utterance: Utterance, segment: Segment) -> float:
    return min(utterance.end_s, segment.end_s) - max(utterance.start_s, segment.start_s)


if __name__ == "__main__":
    main()
