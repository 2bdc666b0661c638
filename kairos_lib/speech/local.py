"""Speech by faster-whisper on this machine: several spans of speech at once.

Whisper is known to loop and to invent text over music and silence. It is shown neither: only
spans with a voice in them, each without the text before it as a prompt.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from kairos_lib.errors import KairosError
from kairos_lib.media import audio
from kairos_lib.records import Segment, Span
from kairos_lib.speech.engine import UNASSIGNED, Engine, Setup

if TYPE_CHECKING:
    from faster_whisper import WhisperModel

# When a text is not to be trusted: the thresholds of Whisper's own decoding, as faster-whisper
# has them for one window at a time (`WhisperModel.transcribe`). The batched pipeline has none.
REPETITIVE = 2.4
"""Compression ratio of the text above which it goes round in circles."""
IMPROBABLE = -1.0
"""Mean log probability of its tokens below which it is a guess."""
NO_SPEECH = 0.6
"""Probability of no speech above which a guess is not even tried again."""
SHORTEST_S = 0.1
"""What is left of a span and shorter than this holds no word."""
DETECTION_S = 30.0
"""Speech from which the language is told: what Whisper hears at once."""


@dataclass(frozen=True)
class _Window:
    """What is heard at once: a span, or a part of one that is longer than Whisper's window."""

    span: int
    start_s: float
    end_s: float


@dataclass(frozen=True)
class _Heard:
    """What the model made of a window. Times are from the window's start."""

    pieces: tuple[tuple[float, float, str], ...]
    rest_s: float | None
    """Where a sentence begins that the window cuts off; none where all of it was told."""
    mean_log_probability: float
    no_speech: float
    compression_ratio: float

    @property
    def silent(self) -> bool:
        """A guess at what is most likely nothing."""
        return self.no_speech > NO_SPEECH and self.mean_log_probability <= IMPROBABLE

    @property
    def doubtful(self) -> bool:
        """To be decoded with more patience."""
        return (
            self.compression_ratio > REPETITIVE or self.mean_log_probability < IMPROBABLE
        ) and not self.silent


class FasterWhisper(Engine):
    """Whisper in CTranslate2, on the GPU where there is one."""

    def __init__(self, setup: Setup) -> None:
        super().__init__(setup)
        self.batch_size = self.settings.batch_size
        """Windows at once; halved whenever the device has no room for them."""

    def transcribe(
        self, wav: Path, spans: list[Span], progress: Callable[[int, int], None]
    ) -> Iterator[Segment]:
        """Transcribe in batches; a span is given once it and all before it are done."""
        if not spans:
            return
        model = self._load()
        language = self._language(model, wav, spans)
        listener = _listener(model)
        longest_s = float(model.feature_extractor.chunk_length)

        def window(span: int, start_s: float) -> _Window:
            return _Window(span, start_s, min(spans[span].end_s, start_s + longest_s))

        waiting = deque(window(number, span.start_s) for number, span in enumerate(spans))
        segments: list[list[Segment]] = [[] for _ in spans]
        told = 0
        while waiting:
            batch = [waiting.popleft() for _ in range(min(self.batch_size, len(waiting)))]
            samples = [audio.read(wav, w.start_s, w.end_s) for w in batch]
            try:
                heard = self._hear(listener, samples, language)
            except RuntimeError as error:
                self._halve(len(batch), error)
                waiting.extendleft(reversed(batch))
                continue
            for w, piece, found in reversed(list(zip(batch, samples, heard, strict=True))):
                next_s = w.end_s
                if found.doubtful:
                    pieces = self._hear_patiently(model, piece, language)
                elif found.silent:
                    pieces = ()
                else:
                    pieces = found.pieces
                    next_s = w.start_s + found.rest_s if found.rest_s else w.end_s
                segments[w.span] += [
                    Segment(
                        scene=UNASSIGNED,
                        start_s=min(w.start_s + start_s, w.end_s),
                        end_s=min(w.start_s + end_s, w.end_s),
                        text=text.strip(),
                    )
                    for start_s, end_s, text in pieces
                    if text.strip() and end_s > start_s
                ]
                if spans[w.span].end_s - next_s > SHORTEST_S:
                    waiting.appendleft(window(w.span, next_s))
            until = waiting[0].span if waiting else len(spans)
            for number in range(told, until):
                yield from segments[number]
                segments[number] = []
            told = max(told, until)
            progress(told, len(spans))

    def _load(self) -> WhisperModel:
        import ctranslate2
        from faster_whisper import WhisperModel

        gpu = ctranslate2.get_cuda_device_count() > 0
        return WhisperModel(
            str(self.setup.weights),
            device="cuda" if gpu else "cpu",
            compute_type="float16" if gpu else "int8",
        )

    def _language(self, model: WhisperModel, wav: Path, spans: list[Span]) -> str | None:
        """The language asked for, or else that of the first speech; the same for all batches."""
        if self.settings.language or not model.model.is_multilingual:
            return self.settings.language
        speech: list[np.ndarray] = []
        left_s = DETECTION_S
        for span in spans:
            if left_s <= 0:
                break
            speech.append(audio.read(wav, span.start_s, min(span.end_s, span.start_s + left_s)))
            left_s -= span.end_s - span.start_s
        language: str = model.detect_language(np.concatenate(speech))[0]
        return language

    def _hear(
        self, listener: Any, samples: list[np.ndarray], language: str | None
    ) -> tuple[_Heard, ...]:
        """Decode windows at once."""
        edges = np.cumsum([0, *(len(piece) for piece in samples)]) / audio.SAMPLE_RATE_HZ
        told, _ = listener.transcribe(
            np.concatenate(samples),
            language=language,
            beam_size=self.settings.beam_size,
            without_timestamps=False,
            clip_timestamps=[
                {"start": start_s, "end": end_s} for start_s, end_s in itertools.pairwise(edges)
            ],
            batch_size=len(samples),
        )
        list(told)  # Decoding happens as they are drawn; the listener keeps them by window.
        heard: tuple[_Heard, ...] = listener.heard
        return heard

    def _hear_patiently(
        self, model: WhisperModel, samples: np.ndarray, language: str | None
    ) -> tuple[tuple[float, float, str], ...]:
        """Decode one window as Whisper does when in doubt: again at higher temperatures."""
        told, _ = model.transcribe(
            samples,
            language=language,
            beam_size=self.settings.beam_size,
            condition_on_previous_text=False,
        )
        return tuple((segment.start, segment.end, segment.text) for segment in told)

    def _halve(self, size: int, error: RuntimeError) -> None:
        """Make room on the device, if that is what was missing."""
        if "out of memory" not in str(error).lower():
            raise error
        if size == 1:
            raise KairosError(
                "the device has no room for speech to text: lower speech.beam_size, or choose "
                "smaller weights"
            ) from error
        self.batch_size = size // 2


def _listener(model: WhisperModel) -> Any:
    """The batched pipeline, which here keeps what it decoded of each window.

    By itself it gives no word of a sentence that is cut off by its window's end, nor says where
    it begins; the tokens do. (A function, since its base class is imported only where it is used.)
    """
    from faster_whisper import BatchedInferencePipeline
    from faster_whisper.transcribe import get_compression_ratio

    class Listener(BatchedInferencePipeline):  # type: ignore[misc]
        heard: tuple[_Heard, ...] = ()

        def generate_segment_batched(self, features: Any, tokenizer: Any, options: Any) -> Any:
            encoded, self._decoded = super().generate_segment_batched(features, tokenizer, options)
            return encoded, self._decoded

        def forward(self, features: Any, tokenizer: Any, windows: Any, options: Any) -> Any:
            found = super().forward(features, tokenizer, windows, options)
            self.heard = tuple(
                _Heard(
                    pieces=tuple(
                        (p["start"] - window["offset"], p["end"] - window["offset"], p["text"])
                        for p in pieces
                    ),
                    rest_s=_rest_s(decoded["tokens"], tokenizer, self.model.time_precision),
                    mean_log_probability=decoded["avg_logprob"],
                    no_speech=decoded["no_speech_prob"],
                    compression_ratio=get_compression_ratio(
                        tokenizer.decode(decoded["tokens"]).strip()
                    ),
                )
                for window, pieces, decoded in zip(windows, found, self._decoded, strict=True)
            )
            return found

    return Listener(model)


def _rest_s(tokens: list[int], tokenizer: Any, precision_s: float) -> float | None:
    """Where the sentence begins that is not finished in a window.

    Two times in a row part sentences: the end of one, the beginning of the next. A single time
    at the very end closes the last of them.
    """
    times = [token >= tokenizer.timestamp_begin for token in tokens]
    if times[-2:] == [False, True]:
        return None
    ends = [tokens[n - 1] for n in range(1, len(tokens)) if times[n - 1] and times[n]]
    return (ends[-1] - tokenizer.timestamp_begin) * precision_s if ends else None
