"""Windows of matches to learn spotting from: a few frames, what they show, and what to answer.

Half of them hold an event, of all labels alike. Most of the others are hard: they end just before
one or begin just after it, or show what only looks like one.
"""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from kairos_lib.parameters.spotting import Spotting
from workshop.nano.batches import tiles_of, tokens_of
from workshop.nano.examples import as_decoded
from workshop.nano.llava import GRID, IMAGE_PX
from workshop.nano.match import EVENT_OF, HEIGHT_PX, WIDTH_PX, Match, State, held_out
from workshop.nano.match_frames import Box, Painter, box_of_prop
from workshop.nano.plays import draw_match
from workshop.nano.questions import Question

FIRST_SEED = 1_000_000
"""Seeds below this are kept for tests and the demo, whatever their hash."""
MATCH_S = 60.0
"""Length of the matches that windows are cut from."""
POOL = 32
"""Matches at hand; now and then one makes room for a new one."""
_NEW_MATCH_SHARE = 0.15

SIGHTS = tuple((kind, opens) for kind in EVENT_OF for opens in (True, False))
"""What a patch is asked about: each thing, in its first half second and afterwards."""
NOTHING = len(SIGHTS)
_BALL = len(SIGHTS)
PATCH_SIGHTS = len(SIGHTS) + 1
"""The ball is asked about as well."""
_OWN_SHARE = 0.2


@dataclass(frozen=True)
class Stretch:
    """Successive frames with the answers to all that a model is taught about them.

    Each window of it, one frame on from the last, is asked about; what windows share is seen once.
    """

    frames: NDArray[np.uint8]
    """Shape (frames, 180, 320, 3), RGB."""
    patches: NDArray[np.float32]
    """1 where a patch shows something: shape (frames, 2 tiles, 49, 9), in the order of SIGHTS, then
    the ball."""
    sights: NDArray[np.int64]
    """Of each frame, which of SIGHTS it shows, or NOTHING."""
    questions: tuple[Question, ...]
    """Of each window."""


@dataclass(frozen=True)
class EventBatch:
    """Stretches as tensors; see `Stretch`."""

    pixels: Tensor
    """Shape (stretches, frames, 2 tiles, 3, 112, 112)."""
    patches: Tensor
    sights: Tensor
    tokens: Tensor
    """Of all windows, those of a stretch one after the other: shape (windows, length)."""
    labels: Tensor

    def to(self, device: torch.device) -> EventBatch:
        """The same batch on another device."""
        return EventBatch(**{name: value.to(device) for name, value in vars(self).items()})


class Windows:
    """Draws windows from matches that are not held out.

    Args:
        spotting: The task: its prompt, its labels and how its frames lie.
        rng: Draws everything.
    """

    def __init__(self, spotting: Spotting, rng: random.Random) -> None:
        self.frames = spotting.windows.frames
        self._prompt = spotting.prompt
        self._apart_s = 1 / spotting.windows.frames_per_second
        self._rng = rng
        self._painters = [self._new() for _ in range(POOL)]

    def draw(self, windows: int) -> Stretch:
        """Draw a stretch of so many windows and paint it."""
        rng = self._rng
        if rng.random() < _NEW_MATCH_SHARE:
            self._painters[rng.randrange(POOL)] = self._new()
        match, painter = rng.choice(self._painters)
        count = self.frames + windows - 1
        start_s = max(self._start(match, count), 0.0)
        times_s = [start_s + n * self._apart_s for n in range(count)]
        states = [match.at(time_s) for time_s in times_s]
        quality = rng.randint(25, 95) if rng.random() < 0.5 else None
        frames = [
            as_decoded(painter.paint(state), rng, quality, (WIDTH_PX, HEIGHT_PX))
            for state in states
        ]
        return Stretch(
            frames=np.stack(frames),
            patches=np.stack([_patches(state) for state in states]),
            sights=np.array([sight_of(state) for state in states]),
            questions=tuple(
                Question(self._prompt, answer_to(match, times_s[first : first + self.frames]))
                for first in range(windows)
            ),
        )

    def batch(self, processor: Any, stretches: int, windows: int) -> EventBatch:
        """Draw stretches of so many windows each and put them together."""
        drawn = [self.draw(windows) for _ in range(stretches)]
        questions = [question for one in drawn for question in one.questions]
        tokens, labels = tokens_of(processor, questions, self.frames)
        return EventBatch(
            pixels=tiles_of(torch.from_numpy(np.stack([one.frames for one in drawn]))),
            patches=torch.from_numpy(np.stack([one.patches for one in drawn])),
            sights=torch.from_numpy(np.stack([one.sights for one in drawn])),
            tokens=tokens,
            labels=labels,
        )

    def _new(self) -> tuple[Match, Painter]:
        match = draw_match(training_seed(self._rng), MATCH_S)
        return match, Painter(match)

    def _start(self, match: Match, count: int) -> float:
        """Where so many frames begin: at what is worth a look."""
        rng = self._rng
        last_s = (count - 1) * self._apart_s
        prop, draw = rng.choice(match.props), rng.random()
        if draw < 0.75:
            shown_by = rng.randrange(count)
            return prop.start_s + rng.uniform(0.0, self._apart_s) - shown_by * self._apart_s
        if draw < 0.83:
            return prop.start_s + self._apart_s + rng.uniform(0.0, prop.end_s - prop.start_s)
        if draw < 0.93 and match.distractions:
            return rng.choice(match.distractions) - rng.uniform(0.0, last_s)
        return rng.uniform(0.0, match.duration_s - last_s)


def training_seed(rng: random.Random) -> int:
    """The seed of a match to learn from: never that of one that is held out."""
    while True:
        seed = rng.randrange(FIRST_SEED, 2**31)
        if not held_out(seed):
            return seed


def answer_to(match: Match, times_s: list[float]) -> str:
    """What is right to say of some frames.

    The event that one of them is the first to show, and when that frame is, in seconds from the
    first one.
    """
    found = match.first_shown(times_s)
    if found is None:
        return json.dumps({"label": "no event"})
    event, number = found
    return json.dumps({"label": event.label, "time": round(times_s[number] - times_s[0], 3)})


def sight_of(state: State) -> int:
    """Which of SIGHTS a moment shows, or NOTHING."""
    for prop in state.props:
        return SIGHTS.index((prop.kind, prop.opens(state.time_s)))
    return NOTHING


def _rectangles() -> NDArray[np.float64]:
    """What of a frame each patch sees: shape (2 tiles, 49, 4), left, top, right, bottom in pixels.

    The first tile is the frame squeezed into a square, the second the frame with bars.
    """
    row, column = np.divmod(np.arange(GRID**2), GRID)
    wide, high = WIDTH_PX / GRID, HEIGHT_PX / GRID
    above = (IMAGE_PX - HEIGHT_PX * IMAGE_PX / WIDTH_PX) / 2 * WIDTH_PX / IMAGE_PX
    left, top, barred = column * wide, row * high, row * wide - above
    return np.stack(
        [
            np.stack([left, top, left + wide, top + high], axis=-1),
            np.stack([left, barred, left + wide, barred + wide], axis=-1),
        ]
    )


_PATCHES = _rectangles()


def _patches(state: State) -> NDArray[np.float32]:
    shown = np.zeros((2, GRID**2, PATCH_SIGHTS), dtype=np.float32)
    for prop in state.props:
        sight = SIGHTS.index((prop.kind, prop.opens(state.time_s)))
        shown[..., sight] = _owned(box_of_prop(prop, state.time_s))
    x, y = state.ball
    shown[..., _BALL] = _owned((x - 4, y - 4, x + 4, y + 4))
    return shown


def _owned(box: Box) -> NDArray[np.bool_]:
    """The patches that see a fifth of a box at least."""
    wide = np.minimum(_PATCHES[..., 2], box[2]) - np.maximum(_PATCHES[..., 0], box[0])
    high = np.minimum(_PATCHES[..., 3], box[3]) - np.maximum(_PATCHES[..., 1], box[1])
    area = (box[2] - box[0]) * (box[3] - box[1])
    owned: NDArray[np.bool_] = (np.clip(wide, 0, None) * np.clip(high, 0, None)) >= (
        _OWN_SHARE * area
    )
    return owned
