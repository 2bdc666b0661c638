"""Finds where in a long recording a piece of it comes from, by its samples alone."""

from __future__ import annotations

import contextlib
import io
import mmap
import wave
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np

RATE_HZ = 16_000
PROBE_SAMPLES = 64


class WholeAudio:
    """A 16 kHz mono WAV of 16 bits, on disk."""

    def __init__(self, path: Path) -> None:
        with wave.open(str(path), "rb") as file:
            shape = (file.getframerate(), file.getnchannels(), file.getsampwidth())
            assert shape == (RATE_HZ, 1, 2), shape
            size = file.getnframes() * 2
        with path.open("rb") as raw:
            self._map = mmap.mmap(raw.fileno(), 0, access=mmap.ACCESS_READ)
        self._start = len(self._map) - size  # The samples are what a WAV of ours ends with.

    def find(self, samples: np.ndarray) -> tuple[int, int] | None:
        """First and last sample (past the end) of the first place that holds just these."""
        if not len(samples):
            return None
        # What surrounds the loudest sample is the least likely to occur elsewhere.
        loudest = int(np.abs(samples.astype(np.int32)).argmax())
        first = max(0, min(loudest - PROBE_SAMPLES // 2, len(samples) - PROBE_SAMPLES))
        probe = samples[first : first + PROBE_SAMPLES].tobytes()
        wanted = samples.tobytes()
        at = self._map.find(probe, self._start)
        while at >= 0:
            begin = at - first * 2
            aligned = begin >= self._start and (begin - self._start) % 2 == 0
            if aligned and self._map[begin : begin + len(wanted)] == wanted:
                sample = (begin - self._start) // 2
                return sample, sample + len(samples)
            at = self._map.find(probe, at + 1)
        return None

    def close(self) -> None:
        self._map.close()


def decode(upload: bytes) -> np.ndarray:
    """The samples of an audio file; nothing where it is none of 16 kHz and one channel."""
    pieces = list(_pieces(upload))
    return np.concatenate(pieces) if pieces else np.zeros(0, np.int16)


def _pieces(upload: bytes) -> Iterator[np.ndarray]:
    with contextlib.suppress(av.error.FFmpegError), av.open(io.BytesIO(upload)) as container:
        stream = container.streams.audio[0]
        if stream.rate != RATE_HZ or stream.channels != 1:
            return
        for frame in container.decode(stream):
            yield frame.to_ndarray().reshape(-1).astype(np.int16)
