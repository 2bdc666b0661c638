"""Recordings: of samples, and long ones that take no time to make, noise where there is speech."""

from __future__ import annotations

import struct
import wave
from pathlib import Path

import numpy as np

from kairos_lib.analyzers.vad import Span

RATE_HZ = 16_000
HEADER_BYTES = 44


def write_recording(path: Path, spans: list[Span], length_s: float) -> Path:
    """A 16 kHz mono WAV whose silence takes no room on the disk; a span is noise of its own."""
    size = 2 * round(length_s * RATE_HZ)
    form = struct.pack("<HHIIHH", 1, 1, RATE_HZ, 2 * RATE_HZ, 2, 16)
    head = b"WAVEfmt " + struct.pack("<I", len(form)) + form + b"data" + struct.pack("<I", size)
    path.write_bytes(b"RIFF" + struct.pack("<I", len(head) + size) + head)
    rng = np.random.default_rng(0)
    with path.open("rb+") as raw:
        raw.truncate(HEADER_BYTES + size)
        for span in spans:
            first, last = round(span.start_s * RATE_HZ), round(span.end_s * RATE_HZ)
            raw.seek(HEADER_BYTES + 2 * first)
            raw.write(rng.integers(-3000, 3000, last - first).astype("<i2").tobytes())
    return path


def write_wav(path: Path, samples: np.ndarray) -> Path:
    """A 16 kHz mono WAV of samples from -1 to 1."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE_HZ)
        file.writeframes((np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes())
    return path


def bursts(count: int, every_s: float, length_s: float = 2.0) -> list[Span]:
    """Spans of speech in the middle of each of so many even stretches."""
    starts = [(n + 0.5) * every_s - length_s / 2 for n in range(count)]
    return [Span(start_s=start, end_s=start + length_s) for start in starts]
