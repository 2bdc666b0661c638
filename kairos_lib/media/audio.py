"""Audio of a video: streamed once to a 16 kHz mono WAV, then read in windows.

Knows nothing of speech or sounds. Five hours in memory would be over a gigabyte, so nothing here
holds more than requested.
"""

from __future__ import annotations

import wave
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from kairos_lib.errors import KairosError
from kairos_lib.media.clock import on_one_clock
from kairos_lib.media.container import Packets, audio_streams, open_container
from kairos_lib.media.facts import Joint, VideoFacts
from kairos_lib.media.mono import as_mono
from kairos_lib.media.video import probe

if TYPE_CHECKING:
    import av

SAMPLE_RATE_HZ = 16_000
"""What Silero, Whisper and AST all expect."""
SAMPLE_BYTES = 2
TOLERANCE = SAMPLE_RATE_HZ // 10
SILENCE_BLOCK = np.zeros(SAMPLE_RATE_HZ, dtype=np.int16)


@dataclass(frozen=True)
class Sound:
    """Contents of a WAV file with a video's sound."""

    duration_s: float
    broken: int
    """Number of packets that could not be decoded."""


def extract(
    video: Path, wav: Path, stream: int | None = None, facts: VideoFacts | None = None
) -> Sound | None:
    """Stream a video's audio to a WAV file whose time zero is the first video frame's.

    Args:
        video: The file.
        wav: Where to write.
        stream: Index of the audio stream, from 0; the default one if left out.
        facts: From `probe`; the file is probed again if left out.

    Returns:
        What was written; None, and no file, if there is no sound.

    Raises:
        KairosError: There is no such stream.
    """
    with open_container(video) as container:
        chosen = _choose(video, container, stream)
        if chosen is None:
            return None
        facts = facts or probe(video, "")
        wav.parent.mkdir(parents=True, exist_ok=True)
        partial = wav.with_suffix(".partial")
        sound = _Stream(video, container, chosen, facts.joints)
        try:
            with wave.open(str(partial), "wb") as file:
                file.setnchannels(1)
                file.setsampwidth(SAMPLE_BYTES)
                file.setframerate(SAMPLE_RATE_HZ)
                track = _Track(file)
                for start_s, samples in as_mono(sound.frames(), SAMPLE_RATE_HZ):
                    track.add(samples, None if start_s is None else start_s - facts.zero_s)
            if not track.written:
                return None
            partial.replace(wav)
        finally:
            partial.unlink(missing_ok=True)
    return Sound(track.written / SAMPLE_RATE_HZ, sound.broken)


def _choose(video: Path, container: Any, wanted: int | None) -> Any:
    """The requested audio stream, or the default one, or else the best; None for a silent film."""
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
    known = audio_streams(container)
    best = container.streams.best("audio")
    # Sorting is stable: the first of equals stays first.
    order = sorted(known, key=lambda s: (not s.disposition & Disposition.default, s != best))
    return order[0] if order else None


def _codec(stream: Any) -> str:
    return stream.codec_context.name if stream.codec_context is not None else ""


class _Stream:
    """Decodes one stream of sound."""

    def __init__(self, video: Path, container: Any, stream: Any, joints: tuple[Joint, ...]) -> None:
        self._packets = Packets(video, container, [stream])
        self._stream = stream
        self._joints = [joint for joint in joints if joint.stream == stream.index]
        self.broken = 0

    def frames(self) -> Iterator[av.AudioFrame]:
        """Its frames; a broken packet becomes silence, according to its neighbours' times."""
        for packet in on_one_clock(self._packets.stored(), self._joints):
            yield from self._decoded(packet)
        yield from self._decoded(None)

    def _decoded(self, packet: av.Packet[Any] | None) -> list[av.AudioFrame]:
        import av

        try:
            frames: list[av.AudioFrame] = self._stream.decode(packet)
        except av.error.FFmpegError:
            self.broken += 1
            return []
        return frames


class _Track:
    """Sound laid out in time: gaps become silence, anything that overlaps or is too early is cut.

    Small differences come from the resampler's delay and are ignored: only more than a tenth of a
    second is a gap or an overlap. The clock has made sure that no gap is longer than a pause.
    """

    def __init__(self, file: wave.Wave_write) -> None:
        self.written = 0
        """Samples so far."""
        self._file = file

    def add(self, samples: np.ndarray, start_s: float | None) -> None:
        """Write samples that start at a time, or where the last piece ended."""
        start = self.written if start_s is None else round(start_s * SAMPLE_RATE_HZ)
        ahead = start - self.written
        if ahead > TOLERANCE:
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
