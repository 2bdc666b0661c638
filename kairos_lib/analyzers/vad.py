"""Voice activity: Silero's detector, run once; speech and sounds both use its spans.

The detector and its weights are those in faster-whisper, and so are the rules that turn its
probabilities into spans. That package processes a recording as a whole, which takes most of a
gigabyte for an hour; here it is processed in blocks, and the detector's state is carried from one
to the next, so that the spans are the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import numpy as np
from pydantic import Field

from kairos_lib.analyzers.analyzer import Stage
from kairos_lib.analyzers.audio import WAV
from kairos_lib.media import audio
from kairos_lib.parameters.settings import Settings
from kairos_lib.runs.record import Record

WINDOW = 512
"""Samples per probability, at 16 kHz."""
CONTEXT = 64
"""Samples of the previous window that the model gets again."""
STATE = (1, 1, 128)
"""Shape of each of the two states of its recurrent layer."""
BLOCK = 1000 * WINDOW
"""Samples that Silero processes together, in about 50 MB."""
HYSTERESIS = 0.15
"""Speech ends where the probability is this much below the threshold at which it begins."""
FLOOR = 0.01
"""It ends below this at any threshold."""


class VadSettings(Settings):
    """Voice activity detection by Silero, run once for speech and sounds."""

    threshold: float = Field(0.5, gt=0, lt=1)
    min_silence_s: float = Field(0.5, ge=0)
    pad_s: float = Field(0.2, ge=0)


class Span(Record):
    """A part of the audio with voice in it."""

    start_s: float
    end_s: float


class Analyzer(Stage):
    """Finds the parts with voice. The model is included in faster-whisper."""

    name: ClassVar[str] = "vad"
    version: ClassVar[int] = 5
    record: ClassVar[type[Span]] = Span
    settings: ClassVar[type[Settings]] = VadSettings
    needs: ClassVar[tuple[str, ...]] = ("audio",)
    packages: ClassVar[tuple[str, ...]] = ("faster-whisper",)

    def skip(self) -> str:
        """There must be audio."""
        return self.silent()

    def prepare(self) -> None:
        """Import the library, which takes longer than using it."""
        import faster_whisper.vad  # noqa: F401

    def run(self) -> Iterator[Span]:
        """Yield the spans in order."""
        wav = self.context.folder / WAV
        if not wav.exists():
            return  # An audio stream without any samples.
        for stretch in stretches(wav, self.context.profile.vad, self.context.progress):
            yield Span(
                start_s=stretch.first / audio.SAMPLE_RATE_HZ,
                end_s=stretch.last / audio.SAMPLE_RATE_HZ,
            )


class Stretch(NamedTuple):
    """From one sample to before another."""

    first: int
    last: int


def stretches(
    wav: Path, settings: VadSettings, progress: Callable[[int, int], None] = lambda *_: None
) -> Iterator[Stretch]:
    """The parts of a 16 kHz mono WAV with voice in them, padded, in order.

    Args:
        wav: The recording.
        settings: Thresholds and paddings.
        progress: Called with the seconds processed and in total.
    """
    length = _length(wav)
    raw = _stretches(_probabilities(wav, progress), length, settings)
    return _padded(raw, length, round(settings.pad_s * audio.SAMPLE_RATE_HZ))


def _probabilities(wav: Path, progress: Callable[[int, int], None]) -> Iterator[float]:
    """Probability of voice in each window; the last is padded with silence."""
    from faster_whisper.vad import get_vad_model

    session: Any = get_vad_model().session
    h, c = np.zeros(STATE, dtype=np.float32), np.zeros(STATE, dtype=np.float32)
    context = np.zeros(CONTEXT, dtype=np.float32)
    length = _length(wav)
    for first in range(0, length, BLOCK):
        last = min(length, first + BLOCK)
        samples = audio.read(wav, first / audio.SAMPLE_RATE_HZ, last / audio.SAMPLE_RATE_HZ)
        if last == length:
            # As the package does: silence up to the end of a window, of a further one if the
            # recording ends with one, and over the last samples that would be given again.
            samples = np.pad(samples, (0, WINDOW - len(samples) % WINDOW))
            samples[-CONTEXT:] = 0
        windows = samples.reshape(-1, WINDOW)
        contexts = np.vstack([context, windows[:-1, -CONTEXT:]])
        context = windows[-1, -CONTEXT:]
        found, h, c = session.run(None, {"input": np.hstack([contexts, windows]), "h": h, "c": c})
        yield from found.ravel().tolist()
        progress(last // audio.SAMPLE_RATE_HZ, length // audio.SAMPLE_RATE_HZ)


def _length(wav: Path) -> int:
    return round(audio.duration_s(wav) * audio.SAMPLE_RATE_HZ)


def _stretches(
    probabilities: Iterator[float], length: int, settings: VadSettings
) -> Iterator[Stretch]:
    """Speech begins at a probable window, and ends if no other follows for long enough."""
    silence = settings.min_silence_s * audio.SAMPLE_RATE_HZ
    low = max(settings.threshold - HYSTERESIS, FLOOR)
    first: int | None = None
    quiet: int | None = None
    for number, probability in enumerate(probabilities):
        at = number * WINDOW
        if probability >= settings.threshold:
            first, quiet = at if first is None else first, None
        elif probability < low and first is not None:
            quiet = at if quiet is None else quiet
            if at - quiet >= silence:
                yield Stretch(first, quiet)
                first = quiet = None
    if first is not None:
        yield Stretch(first, length)


def _padded(stretches: Iterator[Stretch], length: int, pad: int) -> Iterator[Stretch]:
    """Widen each by the padding, or to the middle of a pause that is too short for two."""
    held = next(stretches, None)
    if held is None:
        return
    held = Stretch(max(0, held.first - pad), held.last)
    for stretch in stretches:
        pause = stretch.first - held.last
        share = pause // 2 if pause < 2 * pad else pad
        yield Stretch(held.first, held.last + share)
        held = Stretch(stretch.first - share, stretch.last)
    yield Stretch(held.first, min(length, held.last + pad))
