"""Cuts audio into chunks to upload: at silences, trimmed to the speech in them, as FLAC.

Does not know who transcribes them. A chunk is read and encoded block by block, so that only its
compressed form is held in memory.
"""

from __future__ import annotations

import hashlib
import io
import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kairos_lib.analyzers.vad import Span
from kairos_lib.media import audio

CHUNK_S = 15 * 60.0
TOLERANCE_S = 0.1
"""A codec's padding makes the audio a little longer than its video: two hours stay eight chunks."""
REACH = 0.25
"""How far a cut may be moved from its even position, as a share of a chunk: chunks stay below 1.5
times their even length, and two cuts never cross."""
UPLOAD_BYTES = 25 * 2**20 - 64 * 2**10
"""OpenAI takes requests of up to 25 MiB (https://help.openai.com/en/articles/7031512, "How can we
handle large audio files?"); the form around the file gets 64 KiB of it."""
SHORTEST_S = 0.1
"""OpenAI refuses shorter files."""
BLOCK_S = 60.0


@dataclass(frozen=True)
class Chunk:
    """A part of the audio that begins and ends with speech."""

    spans: tuple[Span, ...]
    """The speech in it, at least one span."""

    @property
    def start_s(self) -> float:
        """Its start."""
        return self.spans[0].start_s

    @property
    def end_s(self) -> float:
        """Its end."""
        return self.spans[-1].end_s


def cut(spans: list[Span], length_s: float) -> list[Chunk]:
    """Cut audio into `max(1, ceil(minutes / 15))` chunks; chunks without speech are left out."""
    count = max(1, math.ceil((length_s - TOLERANCE_S) / CHUNK_S))
    even_s = length_s / count
    cuts = [_nearest_silence(spans, even_s * k, even_s * REACH) for k in range(1, count)]
    edges = [0.0, *cuts, length_s]
    found = (within(spans, start, end) for start, end in itertools.pairwise(edges))
    return [chunk for chunk in found if chunk is not None]


def halves(chunk: Chunk) -> list[Chunk]:
    """Cut a chunk in two at the silence nearest its middle."""
    half_s = (chunk.end_s - chunk.start_s) / 2
    middle_s = chunk.start_s + half_s
    at_s = _nearest_silence(list(chunk.spans), middle_s, half_s / 2)
    pair = (
        within(list(chunk.spans), chunk.start_s, at_s),
        within(list(chunk.spans), at_s, chunk.end_s),
    )
    return [half for half in pair if half is not None]


def within(spans: list[Span], start_s: float, end_s: float) -> Chunk | None:
    """The speech between two moments."""
    kept = tuple(
        Span(start_s=max(span.start_s, start_s), end_s=min(span.end_s, end_s))
        for span in spans
        if span.start_s < end_s and span.end_s > start_s
    )
    return Chunk(kept) if kept else None


def _nearest_silence(spans: list[Span], wanted_s: float, reach_s: float) -> float:
    """The moment without speech nearest to `wanted_s`; `wanted_s` itself if there is none near."""
    silences = itertools.pairwise(
        [-math.inf, *(edge for span in spans for edge in (span.start_s, span.end_s)), math.inf]
    )
    moments = [
        min(max(wanted_s, start_s), end_s)
        for start_s, end_s in itertools.islice(silences, 0, None, 2)
        if end_s > start_s
    ]
    nearest = min(moments, key=lambda moment: abs(moment - wanted_s))
    return nearest if abs(nearest - wanted_s) <= reach_s else wanted_s


class Recording:
    """A chunk's samples, read block by block."""

    def __init__(self, wav: Path, chunk: Chunk) -> None:
        self._wav = wav
        length_s = audio.duration_s(wav)
        self.end_s = min(length_s, max(chunk.end_s, chunk.start_s + SHORTEST_S))
        self.start_s = max(0.0, min(chunk.start_s, self.end_s - SHORTEST_S))

    def sha256(self) -> str:
        """Hash of the samples: an encoder's output would change with its version."""
        digest = hashlib.sha256()
        for block in self._blocks():
            digest.update(block.tobytes())
        return digest.hexdigest()

    def flac(self, limit_bytes: int = UPLOAD_BYTES) -> bytes | None:
        """Encode losslessly; None if the result would be larger than the limit."""
        import av

        file = io.BytesIO()
        with av.open(file, "w", format="flac") as container:
            stream = container.add_stream("flac", rate=audio.SAMPLE_RATE_HZ, layout="mono")
            stream.format = "s16"
            written = 0
            for block in self._blocks():
                frame = av.AudioFrame.from_ndarray(block[None, :], format="s16", layout="mono")
                frame.rate = audio.SAMPLE_RATE_HZ
                frame.pts = written
                written += len(block)
                container.mux(stream.encode(frame))
                if file.tell() > limit_bytes:
                    break
            container.mux(stream.encode())
        content = file.getvalue()
        return content if len(content) <= limit_bytes else None

    def _blocks(self) -> Iterator[np.ndarray]:
        at_s = self.start_s
        while at_s < self.end_s:
            until_s = min(self.end_s, at_s + BLOCK_S)
            # Sixteen bits fit into a float32 exactly.
            yield (audio.read(self._wav, at_s, until_s) * 32768).astype(np.int16)
            at_s = until_s
