"""Windows to learn hearing from: a stretch of sound and what is said in it. Knows no model.

They look like what voice activity detection hands over: a sentence with some air around it, now
and then two or three of them, the rest that is left after a sentence, or a sound without a voice.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from workshop.nano.utterances import RATE_HZ, Utterances
from workshop.nano.whisper import WINDOW_S

_WINDOW = WINDOW_S * RATE_HZ
_FULL_SCALE = 32_768.0
_WORDLESS_SHARE = 0.14


@dataclass(frozen=True)
class Heard:
    """A sentence in a window; one that goes on beyond the window has no end in it."""

    text: str
    start_s: float
    end_s: float | None


@dataclass(frozen=True)
class Window:
    """Samples at 16 kHz, at most a window long, and the sentences in them in order."""

    samples: NDArray[np.float32]
    heard: tuple[Heard, ...]


def draw(utterances: Utterances, rng: random.Random, short: bool) -> Window:
    """Draw a window.

    Args:
        utterances: What can be heard.
        rng: Draws everything.
        short: Whether to stop at one sentence.
    """
    noise = np.random.default_rng(rng.getrandbits(32))
    if rng.random() < _WORDLESS_SHARE:
        return Window(_coloured(_wordless(utterances, rng, noise), rng, noise), ())
    pieces: list[NDArray[np.float32]] = [_air(rng, 0.0, 0.5)]
    if rng.random() < 0.12:
        pieces += [_sound(utterances, rng)[-int(rng.uniform(0.05, 1.0) * RATE_HZ) :]]
        pieces += [_air(rng, 0.1, 0.3)]
    heard: list[Heard] = []
    # Whoever speaks, the sentences of a clip are equally loud.
    gain = rng.uniform(0.55, 1.3)
    for number in range(1 if short else rng.randint(2, 4)):
        if number:
            pieces.append(_air(rng, 0.02, 0.8))
        at = rng.randrange(len(utterances.texts))
        start = sum(map(len, pieces))
        if start > _WINDOW - RATE_HZ // 5:
            break
        pieces.append(utterances.speech[at].astype(np.float32) / _FULL_SCALE * gain)
        end = start + len(pieces[-1])
        whole = end <= _WINDOW
        heard.append(Heard(utterances.texts[at], start / RATE_HZ, end / RATE_HZ if whole else None))
        if not whole:
            break
    pieces.append(_air(rng, 0.0, 0.5))
    if rng.random() < 0.12:
        pieces.append(_sound(utterances, rng)[: int(rng.uniform(0.05, 1.0) * RATE_HZ)])
    samples = np.concatenate(pieces)[:_WINDOW]
    return Window(_coloured(samples, rng, noise), tuple(heard))


def _wordless(
    utterances: Utterances, rng: random.Random, noise: np.random.Generator
) -> NDArray[np.float32]:
    """A sound, or what is left after a sentence: air, and the last of the voice.

    An end that was told too early leaves some of a word, which must not be made a sentence of.
    """
    if rng.random() < 0.4:
        return np.concatenate([_air(rng, 0.0, 0.5), _sound(utterances, rng), _air(rng, 0.0, 0.5)])
    said = rng.choice(utterances.speech)
    left = min(int(rng.uniform(0.01, 0.5) * RATE_HZ), len(said) * 2 // 5)
    silent = _air(rng, 0.05, 1.0)
    if rng.random() < 0.8:
        return np.concatenate([said[-left:].astype(np.float32) / _FULL_SCALE, silent])
    return np.asarray(noise.standard_normal(len(silent)) * 1e-3, dtype=np.float32)


def _sound(utterances: Utterances, rng: random.Random) -> NDArray[np.float32]:
    return rng.choice(utterances.sounds).astype(np.float32) / _FULL_SCALE


def _air(rng: random.Random, least_s: float, most_s: float) -> NDArray[np.float32]:
    return np.zeros(int(rng.uniform(least_s, most_s) * RATE_HZ), dtype=np.float32)


def _coloured(
    samples: NDArray[np.float32], rng: random.Random, noise: np.random.Generator
) -> NDArray[np.float32]:
    """With the noise of a recording over it, mostly very little."""
    if rng.random() < 0.6:
        level = 10 ** rng.uniform(-5.0, -2.3)
        samples = samples + level * noise.standard_normal(len(samples)).astype(np.float32)
    return samples
