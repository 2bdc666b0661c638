"""Audio of a video: streamed once to a 16 kHz mono WAV, then read by the window.

Knows nothing of speech or sounds. Five hours in memory would be over a gigabyte, so nothing here
holds more than it is asked for.
"""

from __future__ import annotations

import math
import wave
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from kairos_lib.errors import KairosError
from kairos_lib.media.container import SPLICED, open_container, packets
from kairos_lib.media.timeline import JUMP_BACK_S, LONG_GAP_S
from kairos_lib.media.video import first_frame_s, probe

if TYPE_CHECKING:
    import av

SAMPLE_RATE_HZ = 16_000
"""What Silero, Whisper and AST all expect."""
SAMPLE_BYTES = 2
TOLERANCE = SAMPLE_RATE_HZ // 10
JUMP_BACK = round(JUMP_BACK_S * SAMPLE_RATE_HZ)
LONG_GAP = round(LONG_GAP_S * SAMPLE_RATE_HZ)
SILENCE_BLOCK = np.zeros(SAMPLE_RATE_HZ, dtype=np.int16)


def extract(
    video: Path, wav: Path, stream: int | None = None, until_s: float | None = None
) -> bool:
    """Stream a video's audio to a WAV file whose time zero is the first video frame's.

    Args:
        video: The file.
        wav: Where to write.
        stream: Which of the audio streams, counted from 0; by itself the default one.
        until_s: Length of the video; by itself what its container says. No silence is written
            beyond it, so that one broken stamp does not fill the disk.

    Returns:
        Whether there is any audio; without it no file is written.

    Raises:
        KairosError: There is no such stream.
    """
    with open_container(video) as container:
        chosen = _choose(video, container, stream)
        if chosen is None:
            return False
        if until_s is None:
            until_s = probe(video, "").duration_s
        zero_s = first_frame_s(video)
        wav.parent.mkdir(parents=True, exist_ok=True)
        partial = wav.with_suffix(".partial")
        with wave.open(str(partial), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(SAMPLE_BYTES)
            file.setframerate(SAMPLE_RATE_HZ)
            track = _Track(file, until_s, spliced=container.format.name in SPLICED)
            for start_s, samples in _resampled(_decoded(video, container, chosen)):
                track.add(samples, None if start_s is None else start_s - zero_s)
    if track.written:
        partial.replace(wav)
    else:
        partial.unlink()
    return track.written > 0


def _choose(video: Path, container: Any, wanted: int | None) -> Any:
    """The audio stream asked for, or the default one, or else the best; none of a silent film."""
    from av.stream import Disposition

    streams = container.streams.audio
    if wanted is not None and not 0 <= wanted < len(streams):
        there = ", ".join(
            f"{number}: {stream.language or 'no language'}, {_codec(stream) or 'unknown codec'}"
            for number, stream in enumerate(streams)
        )
        raise KairosError(
            f"{str(video)!r} has no audio stream {wanted}: choose one of {there}"
            if streams
            else f"{str(video)!r} has no audio stream: leave out the choice of one"
        )
    if wanted is not None:
        if not _codec(streams[wanted]):
            raise KairosError(f"audio stream {wanted} of {str(video)!r} is in an unknown codec")
        return streams[wanted]
    known = [stream for stream in streams if _codec(stream)]
    best = container.streams.best("audio")
    # Sorting is stable: what comes first among equals stays first.
    order = sorted(known, key=lambda s: (not s.disposition & Disposition.default, s != best))
    return order[0] if order else None


def _codec(stream: Any) -> str:
    return stream.codec_context.name if stream.codec_context is not None else ""


def _decoded(video: Path, container: Any, stream: Any) -> Iterator[av.AudioFrame]:
    """Frames of sound; a broken packet is a moment of silence, as its neighbours' times tell."""
    import av

    for packet in packets(video, container, stream):
        try:
            frames: Any = packet.decode()
        except av.error.FFmpegError:
            continue
        yield from frames


def _resampled(
    frames: Iterator[av.AudioFrame],
) -> Iterator[tuple[float | None, np.ndarray]]:
    """Samples as 16 kHz mono with the time at which they start, where the file tells it."""
    import av

    kind: tuple[Any, ...] | None = None
    resampler: Any = None
    for frame in frames:
        mine = (frame.format.name, frame.layout.name, frame.layout.nb_channels, frame.sample_rate)
        if mine != kind:  # At the start, and where rate or channels change in mid-stream.
            if resampler is not None:
                yield None, _samples(resampler.resample(None))
            resampler = av.AudioResampler(format="s16", layout="mono", rate=SAMPLE_RATE_HZ)
            kind = mine
        start_s = frame.time
        frame.pts = None  # Or the resampler would fill gaps in its own way.
        yield start_s, _samples(resampler.resample(frame))
    if resampler is not None:
        yield None, _samples(resampler.resample(None))


def _samples(pieces: list[av.AudioFrame]) -> np.ndarray:
    arrays = [piece.to_ndarray().reshape(-1) for piece in pieces]
    return np.concatenate(arrays) if arrays else SILENCE_BLOCK[:0]


class _Track:
    """Sound laid out in time: gaps become silence, what overlaps or is too early is cut.

    Small differences are the resampler's own delay and are left alone: only more than a tenth of
    a second is a gap or an overlap.
    """

    def __init__(self, file: wave.Wave_write, until_s: float, spliced: bool) -> None:
        self.written = 0
        """Samples so far."""
        self._file = file
        self._until = round(until_s * SAMPLE_RATE_HZ)
        self._long_gap = LONG_GAP if spliced else math.inf
        self._shift = 0

    def add(self, samples: np.ndarray, start_s: float | None) -> None:
        """Write what starts at a time, or where the last piece ended."""
        start = self.written
        if start_s is not None:
            start = round(start_s * SAMPLE_RATE_HZ) + self._shift
        ahead = start - self.written
        if self.written and (ahead < -JUMP_BACK or ahead > self._long_gap):
            self._shift -= ahead  # Stamps began anew: the sound goes on from here.
        elif ahead > TOLERANCE:
            if start >= self._until:
                return  # After the end, or a broken stamp.
            self._silence(ahead)
        elif ahead < -TOLERANCE or (ahead < 0 and not self.written):
            samples = samples[-ahead:]
        self._file.writeframes(samples.tobytes())
        self.written += len(samples)

    def _silence(self, length: int) -> None:
        for begin in range(0, length, len(SILENCE_BLOCK)):
            self._file.writeframes(SILENCE_BLOCK[: length - begin].tobytes())
        self.written += length


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
