"""Speaks sentences with espeak-ng, with the time of every word. Needed only to make clips."""

from __future__ import annotations

import ctypes
import ctypes.util
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from kairos_lib.nano.script import Say
from workshop.nano.sound import SAMPLE_RATE_HZ, Wave

# From espeak-ng's speak_lib.h.
_OUTPUT_SYNCHRONOUS = 2
_EVENT_WORD = 1
_EVENT_LIST_ENDS = 0
_PARAMETER_RATE = 1
_CHARS_UTF8 = 1
_POSITION_CHARACTER = 1

# Below this share of the loudest sample a sentence has not begun, or is over.
_AUDIBLE = 0.02
_LOUDNESS = 0.6


class NoVoiceError(RuntimeError):
    """There is no espeak-ng on this machine."""


@dataclass(frozen=True)
class Spoken:
    """A spoken sentence: its samples, and where each of its words lies in them, in seconds."""

    wave: Wave
    words: tuple[tuple[str, float, float], ...]


class _Event(ctypes.Structure):
    _fields_ = (
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", ctypes.c_char * 8),
    )


_Callback = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event)
)


@cache
def _engine() -> tuple[Any, int]:
    """The library of espeak-ng, made ready, and its sample rate."""
    name = ctypes.util.find_library("espeak-ng")
    if name is None:
        raise NoVoiceError("espeak-ng is needed to make clips: install it, e.g. with apt-get")
    library = ctypes.CDLL(name)
    rate_hz = library.espeak_Initialize(_OUTPUT_SYNCHRONOUS, 500, None, 0)
    if rate_hz <= 0:
        raise NoVoiceError("espeak-ng is installed but does not start; is its data missing?")
    return library, rate_hz


def speak(say: Say) -> Spoken:
    """Speak a sentence.

    Returns:
        Samples at 32 kHz, cut to what is audible, with the words' times in them.

    Raises:
        NoVoiceError: If espeak-ng is not installed.
        ValueError: If it does not know the voice.
    """
    library, rate_hz = _engine()
    chunks: list[np.ndarray[Any, np.dtype[np.int16]]] = []
    starts_s: dict[int, float] = {}

    def heard(samples: Any, count: int, events: Any) -> int:
        if samples and count > 0:
            chunks.append(np.ctypeslib.as_array(samples, (count,)).copy())
        index = 0
        while events[index].type != _EVENT_LIST_ENDS:
            if events[index].type == _EVENT_WORD:
                starts_s[events[index].text_position - 1] = events[index].audio_position / 1000
            index += 1
        return 0

    callback = _Callback(heard)
    library.espeak_SetSynthCallback(callback)
    if library.espeak_SetVoiceByName(say.voice.encode()) != 0:
        raise ValueError(f"espeak-ng has no voice {say.voice!r}")
    library.espeak_SetParameter(_PARAMETER_RATE, say.words_per_minute, 0)
    text = say.text.encode()
    library.espeak_Synth(text, len(text) + 1, 0, _POSITION_CHARACTER, 0, _CHARS_UTF8, None, None)
    wave = np.concatenate(chunks).astype(np.float32)
    wave *= _LOUDNESS / float(np.abs(wave).max())
    audible = np.nonzero(np.abs(wave) > _AUDIBLE)[0]
    first, last = int(audible[0]), int(audible[-1]) + 1
    length_s = (last - first) / rate_hz
    begins_s = {
        place: min(max(s - first / rate_hz, 0.0), length_s) for place, s in starts_s.items()
    }
    return Spoken(
        _resampled(wave[first:last], rate_hz),
        tuple(_timed_words(say.text, begins_s, length_s)),
    )


def _timed_words(
    text: str, begins_s: dict[int, float], length_s: float
) -> Iterator[tuple[str, float, float]]:
    """Every word with its start and end, from the starts at places in the text.

    espeak-ng may speak two words as one, such as "on the", and then tells the time of the first
    only: the words up to the next start it tells share the time in proportion to their letters.
    """
    words = [(match.start(), match[0]) for match in re.finditer(r"\S+", text)]
    groups: list[tuple[float, list[str]]] = []
    for place, word in words:
        if place in begins_s or not groups:
            groups.append((begins_s.get(place, 0.0), []))
        groups[-1][1].append(word)
    for (start_s, group), end_s in zip(
        groups, [*(start_s for start_s, _ in groups[1:]), length_s], strict=True
    ):
        letters, spoken = sum(map(len, group)), 0
        for word in group:
            begin_s = start_s + (end_s - start_s) * spoken / letters
            spoken += len(word)
            yield word, round(begin_s, 3), round(start_s + (end_s - start_s) * spoken / letters, 3)


def _resampled(wave: Wave, rate_hz: int) -> Wave:
    count = round(len(wave) * SAMPLE_RATE_HZ / rate_hz)
    at = np.arange(count) * rate_hz / SAMPLE_RATE_HZ
    return np.interp(at, np.arange(len(wave)), wave).astype(np.float32)
