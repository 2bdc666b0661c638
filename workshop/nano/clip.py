"""Makes a clip from a script: the mp4 file and the truth beside it."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np

from kairos_lib.nano.captions import caption_of
from kairos_lib.nano.script import Play, Say, Script, Shot, Sound
from kairos_lib.nano.staging import Actor, stage
from kairos_lib.nano.truth import Box, ClipTruth, Cut, SceneTruth, SoundSpan, Utterance, Word
from kairos_lib.nano.world import FPS, HEIGHT_PX, MIN_SCENE_S, WIDTH_PX
from workshop.nano.encode import write_mp4
from workshop.nano.render import Frame, box_of, fade, paint_field, paint_frame, paint_text
from workshop.nano.sound import SAMPLE_RATE_HZ, Wave, play
from workshop.nano.voice import speak

_LEAD_S = 0.3
_GAP_S = 0.2
_FADE_FRAMES = FPS // 2
# A fade ends just short of black: black has no hue, so reaching it would look like the cut.
_DUSK = 0.15
_BOX_EVERY_FRAMES = FPS // 5
_HEARD_S = 0.5
# PySceneDetect's content detector sees a cut at 27, on frames that have been compressed.
_CUT_SCORE = 32.0


class UnclearCutError(ValueError):
    """Two neighbouring scenes look so alike that the cut between them cannot be seen."""


@dataclass(frozen=True)
class _Take:
    """A shot with its place in the clip and everything drawn that is to be drawn."""

    shot: Shot
    start_frame: int
    frame_count: int
    background: Frame
    actors: tuple[Actor, ...]

    def frame(self, index: int) -> Frame:
        """The frame at `index` from the shot's start."""
        frame = paint_frame(self.background, self.actors, self.progress(index))
        left = self.frame_count - index
        if self.shot.fades_out and left <= _FADE_FRAMES:
            return fade(frame, _DUSK + (1 - _DUSK) * (left - 1) / _FADE_FRAMES)
        return frame

    def progress(self, index: int) -> float:
        """The share of the shot that has passed at a frame, from 0 to 1."""
        return index / max(self.frame_count - 1, 1)


def make_clip(script: Script, folder: Path) -> ClipTruth:
    """Draw, sound and encode a clip, and write its truth beside it.

    Args:
        script: What the clip shows. The same script gives the same clip.
        folder: Where `<name>.mp4` and `<name>.json` go.

    Returns:
        What is true of the clip.

    Raises:
        UnclearCutError: If two neighbouring scenes look too much alike.
        NoRoomError: If the shapes of a scene do not fit beside one another.
        NoVoiceError: If someone speaks and espeak-ng is not installed.
    """
    takes: list[_Take] = []
    waves: list[Wave] = []
    utterances: list[Utterance] = []
    spans: list[SoundSpan] = []
    start_frame = 0
    for index, shot in enumerate(script.shots):
        start_s = start_frame / FPS
        wave, spoken, heard = _sound_of(shot, start_s, np.random.default_rng([script.seed, index]))
        length_s = max(shot.duration_s, MIN_SCENE_S, len(wave) / SAMPLE_RATE_HZ + _LEAD_S)
        frame_count = round(length_s * FPS)
        waves.append(np.pad(wave, (0, frame_count * SAMPLE_RATE_HZ // FPS - len(wave))))
        utterances += spoken
        spans += heard
        takes.append(_take(script, index, start_frame, frame_count))
        start_frame += frame_count
    duration_s = start_frame / FPS
    _check_cuts(takes)
    truth = ClipTruth(
        name=script.name,
        style=script.style,
        seed=script.seed,
        width_px=WIDTH_PX,
        height_px=HEIGHT_PX,
        fps=FPS,
        duration_s=duration_s,
        cuts=tuple(
            Cut(time_s=take.start_frame / FPS, after_fade=before.shot.fades_out)
            for before, take in pairwise(takes)
        ),
        scenes=tuple(_scene_truth(take, utterances, spans) for take in takes),
        utterances=tuple(utterances),
        transcript=" ".join(utterance.text for utterance in utterances),
        sounds=tuple(_with_silence(spans, duration_s)),
    )
    folder.mkdir(parents=True, exist_ok=True)
    write_mp4(folder / f"{script.name}.mp4", _frames(takes), np.concatenate(waves))
    truth.save(folder / f"{script.name}.json")
    return truth


def _take(script: Script, index: int, start_frame: int, frame_count: int) -> _Take:
    shot = script.shots[index]
    rng = random.Random(script.seed * 1009 + index)
    background = paint_field(shot.scene.field, rng)
    paint_text(background, shot.scene.text)
    return _Take(shot, start_frame, frame_count, background, stage(shot.scene, rng, tries=5000))


def _frames(takes: list[_Take]) -> Iterator[Frame]:
    for take in takes:
        for index in range(take.frame_count):
            yield take.frame(index)


def _sound_of(
    shot: Shot, start_s: float, rng: np.random.Generator
) -> tuple[Wave, list[Utterance], list[SoundSpan]]:
    """The sounds of a shot in their order, and where they lie in the clip."""
    pieces: list[Wave] = [np.zeros(round(_LEAD_S * SAMPLE_RATE_HZ), dtype=np.float32)]
    utterances: list[Utterance] = []
    spans: list[SoundSpan] = []
    for item in shot.track:
        begin_s = round(start_s + sum(map(len, pieces)) / SAMPLE_RATE_HZ, 3)
        if isinstance(item, Say):
            spoken = speak(item)
            pieces.append(spoken.wave)
            end_s = round(begin_s + len(spoken.wave) / SAMPLE_RATE_HZ, 3)
            words = tuple(
                Word(text=text, start_s=round(begin_s + a, 3), end_s=round(begin_s + b, 3))
                for text, a, b in spoken.words
            )
            utterances.append(
                Utterance(
                    text=item.text, voice=item.voice, start_s=begin_s, end_s=end_s, words=words
                )
            )
            spans.append(SoundSpan(label="speech", start_s=begin_s, end_s=end_s))
        elif isinstance(item, Play):
            pieces.append(play(item.sound, item.duration_s, rng))
            end_s = round(begin_s + item.duration_s, 3)
            spans.append(SoundSpan(label=item.sound, start_s=begin_s, end_s=end_s))
        else:
            pieces.append(np.zeros(round(item.duration_s * SAMPLE_RATE_HZ), dtype=np.float32))
        pieces.append(np.zeros(round(_GAP_S * SAMPLE_RATE_HZ), dtype=np.float32))
    return np.concatenate(pieces[:-1] if shot.track else pieces), utterances, spans


def _scene_truth(take: _Take, utterances: list[Utterance], spans: list[SoundSpan]) -> SceneTruth:
    start_s = take.start_frame / FPS
    end_s = (take.start_frame + take.frame_count) / FPS
    inside = [span for span in spans if start_s <= span.start_s < end_s]
    lengths_s: dict[Sound, float] = {}
    for span in _with_silence(inside, end_s, start_s):
        lengths_s[span.label] = lengths_s.get(span.label, 0.0) + span.end_s - span.start_s
    return SceneTruth(
        start_s=start_s,
        end_s=end_s,
        scene=take.shot.scene,
        caption=caption_of(take.shot.scene),
        transcript=" ".join(u.text for u in utterances if start_s <= u.start_s < end_s),
        sounds=tuple(
            sorted((s for s in lengths_s if lengths_s[s] >= _HEARD_S), key=lambda s: -lengths_s[s])
        ),
        boxes=tuple(_boxes(take)),
    )


def _boxes(take: _Take) -> Iterator[Box]:
    for index in range(0, take.frame_count, _BOX_EVERY_FRAMES):
        for number, actor in enumerate(take.actors):
            left, top, right, bottom = box_of(actor, take.progress(index))
            yield Box(
                time_s=(take.start_frame + index) / FPS,
                shape=number,
                kind=actor.shape.kind,
                colour=actor.shape.colour,
                left_px=round(left, 1),
                top_px=round(top, 1),
                right_px=round(right, 1),
                bottom_px=round(bottom, 1),
            )


def _with_silence(
    spans: list[SoundSpan], end_s: float, start_s: float = 0.0
) -> Iterator[SoundSpan]:
    """The spans with what lies between them named as silence, where it lasts half a second."""
    now_s = start_s
    for span in spans:
        if span.start_s - now_s >= _HEARD_S:
            yield SoundSpan(label="silence", start_s=now_s, end_s=span.start_s)
        yield span
        now_s = span.end_s
    if end_s - now_s >= _HEARD_S:
        yield SoundSpan(label="silence", start_s=now_s, end_s=end_s)


def _check_cuts(takes: list[_Take]) -> None:
    for number, (before, after) in enumerate(pairwise(takes), start=2):
        last, first = before.frame(before.frame_count - 1), after.frame(0)
        difference = np.abs(_hsv(last) - _hsv(first)).mean()
        if difference < _CUT_SCORE:
            raise UnclearCutError(
                f"scenes {number - 1} and {number} differ by {difference:.0f}, a cut needs "
                f"{_CUT_SCORE:.0f}: give their fields other colours or shades"
            )


def _hsv(frame: Frame) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    return cv2.cvtColor(frame, cv2.COLOR_RGB2HSV).astype(np.float32)
