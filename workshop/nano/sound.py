"""Makes the sounds of the small world from numbers alone. Knows no voices and no files."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kairos_lib.nano.script import PlayedSound

SAMPLE_RATE_HZ = 32_000

Wave = NDArray[np.float32]
"""Mono samples between -1 and 1, at 32 kHz."""

_FADE_S = 0.02
_PENTATONIC = (0, 2, 4, 7, 9, 12, 14, 16)


def play(sound: PlayedSound, duration_s: float, rng: np.random.Generator) -> Wave:
    """Make a sound.

    Args:
        sound: Which one.
        duration_s: How long it is.
        rng: Draws what makes one whistle differ from another.

    Returns:
        Samples at 32 kHz with their peak between 0.3 and 0.7, faded in and out over 20 ms.
    """
    time_s = np.arange(round(duration_s * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
    makers = {
        "tone": _tone,
        "music": _music,
        "applause": _applause,
        "whistle": _whistle,
        "siren": _siren,
        "noise": _noise,
    }
    wave = makers[sound](time_s, rng)
    wave = wave / max(float(np.abs(wave).max()), 1e-6) * rng.uniform(0.3, 0.7)
    edge = min(round(_FADE_S * SAMPLE_RATE_HZ), len(wave) // 2)
    if edge:
        wave[:edge] *= np.linspace(0, 1, edge)
        wave[-edge:] *= np.linspace(1, 0, edge)
    return np.asarray(wave, dtype=np.float32)


def _tone(time_s: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    pitch_hz = rng.uniform(250, 1200)
    return np.asarray(np.sin(2 * np.pi * pitch_hz * time_s))


def _music(time_s: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    """A tune of plucked notes over a slow bass, on a pentatonic scale."""
    wave = np.zeros_like(time_s)
    root_hz, beat_s = rng.uniform(180, 330), rng.uniform(0.18, 0.32)
    for beat in range(int(time_s[-1] / beat_s) + 1):
        notes = [(root_hz * 2 ** (rng.choice(_PENTATONIC) / 12), 0.5, beat_s * 1.5)]
        if beat % 4 == 0:
            notes.append((root_hz / 2 * 2 ** (rng.choice((0, 5, 7)) / 12), 0.6, beat_s * 5))
        start = round(beat * beat_s * SAMPLE_RATE_HZ)
        for pitch_hz, loudness, decay_s in notes:
            after_s = time_s[: len(time_s) - start]
            overtones = sum(np.sin(2 * np.pi * pitch_hz * n * after_s) / n**1.5 for n in (1, 2, 3))
            wave[start:] += loudness * overtones * np.exp(-after_s / decay_s * 2)
    return wave


def _applause(time_s: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    """Very many claps: short bursts of noise at random times, each with a colour of its own."""
    wave = np.zeros_like(time_s)
    length = round(0.03 * SAMPLE_RATE_HZ)
    decay = np.exp(-np.arange(length) / (0.006 * SAMPLE_RATE_HZ))
    for _ in range(int(len(time_s) / SAMPLE_RATE_HZ * rng.uniform(45, 90))):
        start = int(rng.integers(0, max(len(time_s) - length, 1)))
        smooth = int(rng.integers(6, 16))
        clap = np.convolve(rng.standard_normal(length), np.ones(smooth) / smooth, mode="same")
        clap = np.diff(clap, prepend=0.0) * decay * rng.uniform(0.3, 1.0)
        wave[start : start + length] += clap[: len(time_s) - start]
    return wave


def _whistle(time_s: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    """A referee's whistle: two close pitches, made to tremble by the pea, over some breath."""
    pitch_hz, trill_hz = rng.uniform(2300, 3200), rng.uniform(28, 45)
    tremble = np.sin(2 * np.pi * trill_hz * time_s)
    phase = 2 * np.pi * pitch_hz * time_s + 2.5 * tremble
    breath = 0.05 * rng.standard_normal(len(time_s))
    return np.asarray((0.7 + 0.3 * tremble) * (np.sin(phase) + 0.5 * np.sin(phase * 1.06)) + breath)


def _siren(time_s: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    low_hz, high_hz = rng.uniform(450, 600), rng.uniform(1000, 1400)
    swing = 0.5 - 0.5 * np.cos(2 * np.pi * time_s / rng.uniform(0.9, 1.8))
    pitch_hz = low_hz + (high_hz - low_hz) * swing
    phase = 2 * np.pi * np.cumsum(pitch_hz) / SAMPLE_RATE_HZ
    return np.asarray(np.sin(phase) + 0.3 * np.sin(2 * phase) + 0.15 * np.sin(3 * phase))


def _noise(time_s: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    """Steady noise that falls with frequency, as of wind or water."""
    spectrum = np.fft.rfft(rng.standard_normal(len(time_s)))
    tilt = rng.uniform(0.3, 0.9)
    spectrum /= np.maximum(np.arange(len(spectrum)), len(spectrum) / 400) ** tilt
    return np.asarray(np.fft.irfft(spectrum, len(time_s)))
