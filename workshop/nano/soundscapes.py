"""Training examples of the nano AST: windows of sounds with the labels of what is heard.

A window is what base processing shows the model: the sound of one scene, which has been through
AAC, with its speech cut out and now and then a ragged remainder of it.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kairos_lib.analyzers.sounds import SHORTEST_S, WINDOW_S
from kairos_lib.media import audio
from kairos_lib.nano.narration import sentence
from kairos_lib.nano.script import PLAYED_SOUNDS, SOUNDS, VOICES, Say, Sound
from kairos_lib.nano.world import STYLES
from workshop.nano.encode import through_aac
from workshop.nano.sound import SAMPLE_RATE_HZ, Wave, play
from workshop.nano.voice import speak

# From here on a sound counts as heard, as it does in a clip's truth.
_HEARD_S = 0.5
# Below this a remainder is too little to be asked about; between the two, either answer will do.
_NOTHING_S = 0.12
_SPACER_S = 0.5


@dataclass(frozen=True)
class Heard:
    """A window of sound and what is in it."""

    wave: NDArray[np.float32]
    """Mono samples at 16 kHz, 0.5 to 10.24 s."""
    labels: NDArray[np.float32]
    """1 where a sound of `SOUNDS` is heard, 0 where it is not, 0.5 where either is right."""


class SoundBank:
    """Sounds made and coded once, to be cut and put together many times."""

    def __init__(self, rng: random.Random, each: int) -> None:
        """Make `each` waves of every sound, and as many spoken sentences.

        Raises:
            NoVoiceError: If espeak-ng is not installed.
        """
        numbers = np.random.default_rng(rng.getrandbits(32))
        self._waves: dict[Sound, list[Wave]] = {
            sound: _coded([play(sound, rng.uniform(0.9, 4.0), numbers) for _ in range(each)])
            for sound in PLAYED_SOUNDS
        }
        self._waves["speech"] = _coded([_spoken(rng) for _ in range(each)])

    def draw(self, rng: random.Random) -> Heard:
        """Draw a window: up to three sounds with rests around them, or no sound at all."""
        lasts_s: dict[Sound, float] = {}
        pieces: list[Wave] = [_rest(rng.uniform(0.0, 0.5))]
        for _ in range(rng.choices((0, 1, 2, 3), weights=(2, 5, 3, 1))[0]):
            # A little less of what is mostly cut out before.
            sound: Sound = "speech" if rng.random() < 1 / 9 else rng.choice(PLAYED_SOUNDS)
            piece = self._piece(sound, rng)
            pieces += [piece, _rest(rng.choice((0.2, rng.uniform(0.0, 2.0))))]
            lasts_s[sound] = lasts_s.get(sound, 0.0) + len(piece) / audio.SAMPLE_RATE_HZ
        pieces.append(_rest(rng.choice((0.0, rng.uniform(0.0, 3.0)))))
        wave = np.concatenate(pieces)
        missing_s = SHORTEST_S - len(wave) / audio.SAMPLE_RATE_HZ
        if missing_s > 0:
            wave = np.concatenate([wave, _rest(missing_s + rng.uniform(0.01, 3.0))])
        if rng.random() < 0.4:
            hiss = np.random.default_rng(rng.getrandbits(32)).standard_normal(len(wave))
            wave = wave + (10 ** rng.uniform(-5.0, -3.5) * hiss).astype(np.float32)
        # What lies beyond the window is seldom reached, and its labels would then be wrong.
        longest = int(WINDOW_S * audio.SAMPLE_RATE_HZ)
        return self.draw(rng) if len(wave) > longest else Heard(wave, _labels(lasts_s))

    def _piece(self, sound: Sound, rng: random.Random) -> Wave:
        """A whole sound, or what is left of it where a stretch of speech was cut beside it."""
        wave = rng.choice(self._waves[sound])
        loudness = np.float32(rng.uniform(0.5, 1.2))
        if sound == "speech" and rng.random() < 0.8:
            # Speech is cut out before; what remains are beginnings and ends of words.
            length = rng.uniform(0.03, 0.8)
        elif rng.random() < 0.6:
            return wave * loudness
        else:
            length = rng.uniform(0.1, 3.0)
        kept = min(round(length * audio.SAMPLE_RATE_HZ), len(wave))
        start = rng.choice((0, len(wave) - kept, rng.randint(0, len(wave) - kept)))
        return wave[start : start + kept] * loudness


def _labels(lasts_s: dict[Sound, float]) -> NDArray[np.float32]:
    def one(label: Sound) -> float:
        if label == "silence":
            # Silence is what is heard where nothing else is.
            return 1.0 - max(map(_share, lasts_s.values()), default=0.0)
        return _share(lasts_s.get(label, 0.0))

    return np.array([one(label) for label in SOUNDS], dtype=np.float32)


def _share(length_s: float) -> float:
    return 1.0 if length_s >= _HEARD_S else 0.5 if length_s > _NOTHING_S else 0.0


def _rest(length_s: float) -> Wave:
    return np.zeros(round(length_s * audio.SAMPLE_RATE_HZ), dtype=np.float32)


def _spoken(rng: random.Random) -> Wave:
    text = sentence(rng, rng.choice(STYLES))
    return speak(Say(text, rng.choice(VOICES), rng.randint(125, 180))).wave


def _coded(waves: list[Wave]) -> list[Wave]:
    """Take waves of 32 kHz through AAC and back, by the way that a video's sound comes in."""
    spacer = np.zeros(round(_SPACER_S * SAMPLE_RATE_HZ), dtype=np.float32)
    parts = [part for wave in waves for part in (wave, spacer)]
    whole = through_aac(np.concatenate(parts), audio.SAMPLE_RATE_HZ)
    ratio = audio.SAMPLE_RATE_HZ / SAMPLE_RATE_HZ
    found: list[Wave] = []
    start = 0
    for wave in waves:
        found.append(whole[round(start * ratio) : round((start + len(wave)) * ratio)])
        start += len(wave) + len(spacer)
    return found
