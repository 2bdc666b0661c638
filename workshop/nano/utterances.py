"""Many spoken sentences to learn hearing from, kept in a folder. Knows no model.

Speaking takes longer than learning, so the sentences are spoken once and then mixed anew.
"""

from __future__ import annotations

import json
import random
import subprocess
import zlib
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kairos_lib.nano.narration import SENTENCES, sentence, vocabulary
from kairos_lib.nano.script import PLAYED_SOUNDS, VOICES, Say
from kairos_lib.nano.world import STYLES
from workshop.nano.sound import SAMPLE_RATE_HZ as WORLD_RATE_HZ
from workshop.nano.sound import Wave, play
from workshop.nano.voice import NoVoiceError, speak

RATE_HZ = 16_000
"""What Whisper hears."""

OTHER_VOICES = tuple(
    f"{accent}+{variant}"
    for accent in ("en-us", "en")
    for variant in ("m1", "m2", "m3", "m4", "m5", "m6", "m7", "f1", "f2", "f3", "f4", "f5")
    if f"{accent}+{variant}" not in VOICES
)
_OWN_VOICE_SHARE = 0.65
_CHUNK = 250
_SOUNDS = 240
_FULL_SCALE = 32_767
_HELD_OUT_OF = 10
_ALWAYS_ALIKE = frozenset(s for said in SENTENCES.values() for s in said if "{" not in s)


@dataclass(frozen=True)
class Utterances:
    """Sentences and other sounds at 16 kHz, as 16-bit samples from their first audible one."""

    texts: tuple[str, ...]
    speech: tuple[NDArray[np.int16], ...]
    sounds: tuple[NDArray[np.int16], ...]

    @classmethod
    def load(cls, folder: Path) -> Utterances:
        """Read what `make` wrote."""
        index: dict[str, Any] = json.loads((folder / "index.json").read_text(encoding="utf-8"))
        return cls(
            tuple(index["texts"]),
            tuple(_cut(np.load(folder / "speech.npy"), index["speech_lengths"])),
            tuple(_cut(np.load(folder / "sounds.npy"), index["sounds_lengths"])),
        )


def held_out(text: str) -> bool:
    """Whether a sentence is kept out of training: one in ten, by a checksum of its text.

    Never one that is always said alike: its words may come in no other.
    """
    return text not in _ALWAYS_ALIKE and zlib.crc32(text.encode()) % _HELD_OUT_OF == 0


def make(folder: Path, count: int, seed: int) -> Utterances:
    """Speak `count` sentences that are not held out, unless the folder has them already.

    Raises:
        NoVoiceError: If espeak-ng is not installed.
    """
    if not (folder / "index.json").exists():
        folder.mkdir(parents=True, exist_ok=True)
        with ProcessPoolExecutor() as pool:
            seeds = [seed * 100_003 + part for part in range(-(-count // _CHUNK))]
            parts = list(pool.map(partial(_spoken, count=_CHUNK), seeds))
        texts = [text for part in parts for text, _ in part]
        speech = [wave for part in parts for _, wave in part]
        sounds = _sounds(np.random.default_rng(seed))
        np.save(folder / "speech.npy", np.concatenate(speech))
        np.save(folder / "sounds.npy", np.concatenate(sounds))
        index = {
            "texts": texts,
            "speech_lengths": [len(wave) for wave in speech],
            "sounds_lengths": [len(wave) for wave in sounds],
        }
        # Written last, as the sign that all is there.
        (folder / "index.json").write_text(json.dumps(index), encoding="utf-8")
    return Utterances.load(folder)


def at_16_khz(wave: Wave, higher: float = 1.0) -> NDArray[np.int16]:
    """Samples of the world at Whisper's rate.

    Args:
        wave: Samples at 32 kHz between -1 and 1.
        higher: A factor on pitch and speed.
    """
    count = round(len(wave) * RATE_HZ / WORLD_RATE_HZ / higher)
    spectrum = np.fft.rfft(wave)
    kept = np.zeros(count // 2 + 1, dtype=spectrum.dtype)
    shared = min(len(kept), len(spectrum))
    kept[:shared] = spectrum[:shared]
    lower = np.fft.irfft(kept, count) * (count / len(wave))
    return np.asarray(np.clip(lower, -1, 1) * _FULL_SCALE, dtype=np.int16)


def pronunciations() -> dict[str, tuple[str, ...]]:
    """The phonemes of every word that a voice can say, in espeak-ng's notation, without stress.

    Raises:
        NoVoiceError: If espeak-ng is not installed.
    """
    words = sorted(vocabulary())
    try:
        told = subprocess.run(
            ["espeak-ng", "-q", "-x", "--sep= ", "-v", VOICES[0]],
            input="\n".join(f"{word}.\n" for word in words),
            capture_output=True,
            text=True,
            check=True,
        ).stdout
    except FileNotFoundError as error:
        raise NoVoiceError("espeak-ng is needed to train a hearer: install it") from error
    lines = [line for line in told.splitlines() if line.strip()]
    return {
        word: tuple(p for p in (mark.strip("',%=_:|") for mark in line.split()) if p)
        for word, line in zip(words, lines, strict=True)
    }


def _spoken(seed: int, count: int) -> list[tuple[str, NDArray[np.int16]]]:
    rng = random.Random(seed)
    spoken: list[tuple[str, NDArray[np.int16]]] = []
    while len(spoken) < count:
        text = sentence(rng, rng.choice(STYLES))
        if held_out(text):
            continue
        own = rng.random() < _OWN_VOICE_SHARE
        voice = rng.choice(VOICES if own else OTHER_VOICES)
        said = speak(Say(text, voice, rng.randint(125, 185)))
        higher = rng.uniform(0.98, 1.02) if own else rng.uniform(0.93, 1.07)
        spoken.append((text, at_16_khz(said.wave, higher)))
    return spoken


def _sounds(rng: np.random.Generator) -> list[NDArray[np.int16]]:
    return [
        at_16_khz(play(PLAYED_SOUNDS[index % len(PLAYED_SOUNDS)], rng.uniform(1.0, 3.0), rng))
        for index in range(_SOUNDS)
    ]


def _cut(joined: NDArray[np.int16], lengths: list[int]) -> list[NDArray[np.int16]]:
    return np.split(joined, np.cumsum(lengths)[:-1])
