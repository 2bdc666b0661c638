"""Sound of any rate and any channels as mono of one rate.

Knows nothing of files or times. Channels are mixed as FFmpeg mixes them, with two exceptions. If it
has no mix, as for nine channels without a layout, their mean is used. And if the mix is silent but
a channel is not, because channels cancel each other out like those of a microphone with reversed
wiring, that channel is used alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import av

MOST_GUESSED = 8
"""For more channels without a layout FFmpeg has no mix, or one that leaves most of them out."""
BLOCK_S = 0.5
"""Minimum length of sound that is judged as a unit."""
CANCELLED, RESTORED = 0.1, 0.3
"""Power of the mix by that of its parts. Parts that have nothing in common give 1; below the first
figure (equal channels with a correlation of -0.9) they are taken to cancel out, until the second is
passed again: a decision is not turned over by every block."""
LOST = 0.001
"""Power of the mix by that of the loudest channel. Less is left of a channel that FFmpeg took for a
subwoofer, which it leaves out, if the channels are not named."""
SILENT_POWER = 1e-8
"""80 dB below full scale. Quieter sound decides nothing."""
STAY_POWER = 0.25
"""Of the loudest channel's: the one that is heard is kept as long as it has this much."""
JUDGED_HZ = 8000
"""Power is measured on so many samples a second; whichever they are, they stand for all."""

Samples = np.ndarray[Any, np.dtype[Any]]


def as_mono(
    frames: Iterable[av.AudioFrame], rate_hz: int
) -> Iterator[tuple[float | None, Samples]]:
    """Mono samples of type int16, with the time at which they start where it is known."""
    import av

    kind: tuple[Any, ...] | None = None
    mixer: _Mixer | None = None
    resampler: Any = None

    def rest() -> Iterator[tuple[float | None, Samples]]:
        if mixer is not None:
            for start_s, frame in mixer.end():
                yield start_s, _samples(resampler.resample(frame))
            yield None, _samples(resampler.resample(None))

    for frame in frames:
        mine = (frame.format.name, frame.layout.name, frame.layout.nb_channels, frame.sample_rate)
        if mine != kind:  # At the start, and where rate or channels change in mid-stream.
            yield from rest()
            resampler = av.AudioResampler(format="s16", layout="mono", rate=rate_hz)
            mixer = _Mixer(frame)
            kind = mine
        assert mixer is not None
        for start_s, mixed in mixer.add(frame):
            yield start_s, _samples(resampler.resample(mixed))
    yield from rest()


def _samples(pieces: list[av.AudioFrame]) -> Samples:
    arrays = [piece.to_ndarray().reshape(-1) for piece in pieces]
    return np.concatenate(arrays) if arrays else np.zeros(0, dtype=np.int16)


class _Mixer:
    """Makes frames of one kind ready for FFmpeg to mix; most stay as they are."""

    def __init__(self, first: av.AudioFrame) -> None:
        self._format, self._layout = first.format.name, first.layout.name
        self._rate_hz = first.sample_rate
        self._channels = first.layout.nb_channels
        self._step = max(1, self._rate_hz // JUDGED_HZ)
        # FFmpeg's name for a layout that is not in the file.
        self._guessed = self._layout == f"{self._channels} channels"
        guessable = not self._guessed or self._channels <= MOST_GUESSED
        weights = _weights(self._layout, self._channels) if guessable else None
        self._known = weights is not None
        self._weights = np.full(self._channels, 1 / self._channels) if weights is None else weights
        self._block: list[tuple[float | None, av.AudioFrame]] = []
        self._block_s = 0.0
        self._heard: int | None = None
        """The channel that is heard alone, while they cancel each other out."""

    def add(self, frame: av.AudioFrame) -> list[tuple[float | None, av.AudioFrame]]:
        """Take a frame; those that are ready, with their times."""
        start_s = frame.time
        frame.pts = None  # Or the resampler would fill gaps in its own way.
        self._block.append((start_s, frame))
        self._block_s += frame.samples / self._rate_hz
        return self.end() if self._channels == 1 or self._block_s >= BLOCK_S else []

    def end(self) -> list[tuple[float | None, av.AudioFrame]]:
        """The frames that have waited for their block to be full."""
        block, self._block, self._block_s = self._block, [], 0.0
        if self._channels == 1 or not block:
            return block
        whole = [(start_s, self._array(frame)) for start_s, frame in block]
        self._judge(np.concatenate([samples[:: self._step] for _, samples in whole]))
        if self._heard is None and self._known:
            return block
        return [(start_s, self._mixed(samples)) for start_s, samples in whole]

    def _judge(self, samples: Samples) -> None:
        """Decide for a block whether channels cancel out, and which one is then heard."""
        powers = np.square(samples, dtype=np.float64).mean(axis=0)
        powers = np.where((self._weights > 0) | self._guessed, powers, 0.0)
        if powers.max() < SILENT_POWER:
            return
        mix = float(np.square(samples @ self._weights).mean())
        parts = float((self._weights**2 * powers).sum())
        if mix > max((CANCELLED if self._heard is None else RESTORED) * parts, LOST * powers.max()):
            self._heard = None
            return
        if self._heard is None or powers[self._heard] < STAY_POWER * powers.max():
            self._heard = int(powers.argmax())

    def _array(self, frame: av.AudioFrame) -> Samples:
        """Float samples of shape (samples, channels).

        Packed by FFmpeg: PyAV cannot tell where the planes of eight or more channels end.
        """
        import av

        (packed,) = av.AudioResampler(format="flt").resample(frame)
        return packed.to_ndarray().reshape(-1, self._channels)

    def _mixed(self, samples: Samples) -> av.AudioFrame:
        """One channel in the place of all, or the mean of all where FFmpeg has no mix."""
        import av

        if self._heard is None:
            mono = (samples @ self._weights).astype(np.float32)
        else:
            mono = np.ascontiguousarray(samples[:, self._heard])
        if not self._known:
            return self._frame(mono, "mono")
        every = self._frame(np.repeat(mono, self._channels), self._layout)
        (frame,) = av.AudioResampler(format=self._format).resample(every)
        frame.pts = None
        return frame

    def _frame(self, samples: Samples, layout: str) -> av.AudioFrame:
        import av

        frame = av.AudioFrame.from_ndarray(samples[None], format="flt", layout=layout)
        frame.sample_rate = self._rate_hz
        return frame


def _weights(layout: str, channels: int) -> Samples | None:
    """What FFmpeg's mono mix takes of each channel; nothing where there is no such mix.

    Found by mixing: each channel in turn is full of one value.
    """
    import av

    if channels == 1:
        return np.ones(1)
    length, level = 64, 0.5
    taken = []
    for channel in range(channels):
        samples = np.zeros((length, channels), dtype=np.float32)
        samples[:, channel] = level
        frame = av.AudioFrame.from_ndarray(samples.reshape(1, -1), format="flt", layout=layout)
        frame.sample_rate = JUDGED_HZ
        resampler = av.AudioResampler(format="flt", layout="mono")
        try:
            (mixed,) = resampler.resample(frame)
        except av.error.FFmpegError:
            return None
        taken.append(float(mixed.to_ndarray()[0, length // 2]) / level)
    return np.array(taken) / sum(taken)
