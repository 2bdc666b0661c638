"""Audio of a video: streamed once to a 16 kHz mono WAV, then read by the window.

Knows nothing of speech or sounds. Five hours in memory would be over a gigabyte, so nothing here
holds more than it is asked for.
"""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np

from kairos_lib.media.container import open_container

SAMPLE_RATE_HZ = 16_000
"""What Silero, Whisper and AST all expect."""
SAMPLE_BYTES = 2
SILENCE_BLOCK = np.zeros(SAMPLE_RATE_HZ, dtype=np.int16)


def extract(video: Path, wav: Path) -> bool:
    """Stream a video's default audio to a WAV file whose time zero is the first video frame's.

    Returns:
        Whether there is any audio; without it no file is written.
    """
    import av

    with open_container(video) as container:
        stream = container.streams.best("audio")
        if stream is None:
            return False
        offset_s = _video_start_s(video)
        resampler = av.AudioResampler(format="s16", layout="mono", rate=SAMPLE_RATE_HZ)
        partial = wav.with_suffix(".partial")
        wav.parent.mkdir(parents=True, exist_ok=True)
        with wave.open(str(partial), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(SAMPLE_BYTES)
            file.setframerate(SAMPLE_RATE_HZ)
            written = 0
            for packet in container.demux(stream):
                try:
                    frames = packet.decode()
                except av.error.InvalidDataError:
                    continue  # One broken packet is a moment of silence, filled in below.
                for frame in frames:
                    if not isinstance(frame, av.AudioFrame) or frame.time is None:
                        continue
                    start = round((frame.time - offset_s) * SAMPLE_RATE_HZ)
                    for piece in resampler.resample(frame):
                        written += _place(file, piece.to_ndarray().reshape(-1), start, written)
                        start = written
            for piece in resampler.resample(None):
                written += _place(file, piece.to_ndarray().reshape(-1), written, written)
        partial.replace(wav)
        return written > 0


def _video_start_s(video: Path) -> float:
    """Presentation time of the first video frame, on the container's own clock."""
    with open_container(video) as container:
        stream = container.streams.video[0]
        return float((stream.start_time or 0) * (stream.time_base or 0))


def _place(file: wave.Wave_write, samples: np.ndarray, start: int, written: int) -> int:
    """Write samples that begin at `start`; a gap becomes silence, what is too early is cut.

    Small differences are the resampler's own delay and are left alone: only a gap of more than a
    tenth of a second is one.
    """
    gap = start - written
    filled = 0
    if gap > SAMPLE_RATE_HZ // 10:
        while filled < gap:
            block = SILENCE_BLOCK[: gap - filled]
            file.writeframes(block.tobytes())
            filled += len(block)
    elif written == 0 and start < 0:
        samples = samples[-start:]
    file.writeframes(samples.tobytes())
    return filled + len(samples)


def duration_s(wav: Path) -> float:
    """Length of a WAV file."""
    with wave.open(str(wav), "rb") as file:
        return file.getnframes() / file.getframerate()


def read(wav: Path, start_s: float = 0.0, end_s: float | None = None) -> np.ndarray:
    """A window of a WAV file as float32 samples in [-1, 1], of shape (samples,)."""
    with wave.open(str(wav), "rb") as file:
        total = file.getnframes()
        first = min(total, max(0, round(start_s * SAMPLE_RATE_HZ)))
        last = total if end_s is None else min(total, round(end_s * SAMPLE_RATE_HZ))
        file.setpos(first)
        data = file.readframes(max(0, last - first))
    return np.frombuffer(data, dtype=np.int16).astype(np.float32) / 32768.0


def cut(wav: Path, start_s: float, end_s: float, piece: Path) -> None:
    """Copy a window of a WAV file into a file of its own."""
    with wave.open(str(wav), "rb") as source:
        total = source.getnframes()
        first = min(total, max(0, round(start_s * SAMPLE_RATE_HZ)))
        last = min(total, max(first, round(end_s * SAMPLE_RATE_HZ)))
        source.setpos(first)
        piece.parent.mkdir(parents=True, exist_ok=True)
        with wave.open(str(piece), "wb") as file:
            file.setparams(source.getparams())
            file.writeframes(source.readframes(last - first))
