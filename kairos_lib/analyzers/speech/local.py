"""Speech by faster-whisper on this machine: several windows of speech at once.

Whisper is known to loop and to invent text over music and silence. It therefore gets as little of
these as possible: windows of voice with short pauses, each without the previous text as a prompt.
"""

from __future__ import annotations

import itertools
import json
import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple

import numpy as np

from kairos_lib.analyzers.batching import Batches
from kairos_lib.analyzers.speech import windows
from kairos_lib.analyzers.speech.engine import UNASSIGNED, Engine
from kairos_lib.analyzers.speech.segment import Segment, Word
from kairos_lib.analyzers.speech.windows import Window
from kairos_lib.analyzers.vad import Span
from kairos_lib.errors import KairosError
from kairos_lib.media import audio

if TYPE_CHECKING:
    from faster_whisper import WhisperModel

# When to distrust a text: the thresholds of Whisper's own decoding, as faster-whisper uses them
# for one window at a time (`WhisperModel.transcribe`). The batched pipeline has none.
REPETITIVE = 2.4
"""If the text's compression ratio is above this, it is looping."""
IMPROBABLE = -1.0
"""If its tokens' mean log probability is below this, it is a guess."""
NO_SPEECH = 0.6
"""If the probability of no speech is above this, a guess is not even tried again."""
HEARING = "preprocessor_config.json"
LONGEST_PAUSE = "longest_pause_s"
"""Optional key of the weights beside their window (`chunk_length`): the longest pause, in seconds,
between parts with voice that they were trained to hear at once."""
DETECTION_S = 30.0
"""Speech used to detect the language: Whisper's input length."""


class _Line(NamedTuple):
    """A sentence or a part of one. Times, those of its words too, are from the window's start."""

    start_s: float
    end_s: float
    text: str
    words: tuple[Word, ...] = ()


@dataclass(frozen=True)
class _Heard:
    """The model's output for a window. Times are from the window's start."""

    lines: tuple[_Line, ...]
    rest_s: float | None
    """Start of a sentence that the window cuts off; None if there is none."""
    mean_log_probability: float
    no_speech: float
    compression_ratio: float

    @property
    def silent(self) -> bool:
        """A guess at what is most likely silence."""
        return self.no_speech > NO_SPEECH and self.mean_log_probability <= IMPROBABLE

    @property
    def doubtful(self) -> bool:
        """To be decoded again at higher temperatures."""
        return (
            self.compression_ratio > REPETITIVE or self.mean_log_probability < IMPROBABLE
        ) and not self.silent


class FasterWhisper(Engine):
    """Whisper in CTranslate2."""

    device: ClassVar[Literal["gpu", "io"]] = "gpu"
    memory_mib: ClassVar[int] = 1500
    _listener: Any = None
    """Decodes several windows at once, while there is a model."""

    @classmethod
    def load(cls, weights: Path, device: str) -> WhisperModel:
        """Whisper on its device."""
        from faster_whisper import WhisperModel

        # Without it, faster-whisper would download another model's.
        if not (weights / "tokenizer.json").is_file():
            raise KairosError(f"the weights of speech at {weights} have no tokenizer.json")
        kind, _, number = device.partition(":")
        return WhisperModel(
            str(weights),
            device=kind,
            device_index=int(number or 0),
            compute_type="int8" if kind == "cpu" else "float16",
        )

    def release(self) -> None:
        """Also drop the batched pipeline that uses it."""
        super().release()
        self._listener = None

    def prepare(self) -> None:
        """Create the pipeline that decodes several windows at once."""
        self._listener = _listener(self.model, self.settings.word_times)

    def transcribe(
        self, wav: Path, spans: list[Span], progress: Callable[[int, int], None]
    ) -> Iterator[Segment]:
        """Transcribe windows in batches; yield each once it and all before it are done."""
        language = self._language(wav, spans)
        longest_s = float(self.model.feature_extractor.chunk_length)
        wanted = self.settings.batch_size
        batches = Batches[np.ndarray, _Heard](
            lambda batch: self._hear(batch, language), min(wanted, self.batch_size or wanted)
        )
        joined = windows.chains(spans, longest_s, self._pause_s())
        waiting = deque(
            (number, first)
            for number, chain in enumerate(joined)
            if (first := windows.window(chain, chain[0].start_s, longest_s))
        )
        segments: list[list[Segment]] = [[] for _ in joined]
        reported = 0
        while waiting:
            batch = [waiting.popleft() for _ in range(min(batches.size, len(waiting)))]
            pieces = [audio.read(wav, window.start_s, window.end_s) for _, window in batch]
            heard = [found for _, found in batches.results(pieces)]
            self.batch_size = batches.size
            # From the last to the first, so that what is left of them is queued in order of time.
            for (number, window), piece, found in reversed(
                list(zip(batch, pieces, heard, strict=True))
            ):
                next_s = window.end_s
                lines = found.lines
                if found.doubtful:
                    lines = self._hear_patiently(piece, language)
                elif found.silent:
                    lines = ()
                elif found.rest_s:
                    next_s = window.start_s + found.rest_s
                segments[number] += _segments(window, lines)
                if rest := windows.window(joined[number], next_s, longest_s):
                    waiting.appendleft((number, rest))
            until = waiting[0][0] if waiting else len(joined)
            for number in range(reported, until):
                yield from segments[number]
                segments[number] = []
            reported = max(reported, until)
            progress(sum(map(len, joined[:reported])), len(spans))

    def _pause_s(self) -> float:
        """The longest pause in a window: from the profile, the weights, or the default."""
        if self.settings.pause_s is not None:
            return self.settings.pause_s
        path = self.setup.weights / HEARING if self.setup.weights else None
        own = json.loads(path.read_bytes()) if path and path.exists() else {}
        return float(own.get(LONGEST_PAUSE, windows.PAUSE_S))

    def _language(self, wav: Path, spans: list[Span]) -> str | None:
        """The configured language, else that of the first speech; the same for all batches."""
        if self.settings.language or not self.model.model.is_multilingual:
            return self.settings.language
        speech: list[np.ndarray] = []
        left_s = DETECTION_S
        for span in spans:
            if left_s <= 0:
                break
            speech.append(audio.read(wav, span.start_s, min(span.end_s, span.start_s + left_s)))
            left_s -= span.end_s - span.start_s
        language: str = self.model.detect_language(np.concatenate(speech))[0]
        return language

    def _hear(self, samples: Sequence[np.ndarray], language: str | None) -> tuple[_Heard, ...]:
        """Decode several windows at once."""
        edges = np.cumsum([0, *(len(piece) for piece in samples)]) / audio.SAMPLE_RATE_HZ
        segments, _ = self._listener.transcribe(
            np.concatenate(samples),
            language=language,
            beam_size=self.settings.beam_size,
            without_timestamps=False,
            clip_timestamps=[
                {"start": start_s, "end": end_s} for start_s, end_s in itertools.pairwise(edges)
            ],
            batch_size=len(samples),
        )
        list(segments)  # Decoding happens as they are drawn; the listener keeps them by window.
        heard: tuple[_Heard, ...] = self._listener.heard
        return heard

    def _hear_patiently(self, samples: np.ndarray, language: str | None) -> tuple[_Line, ...]:
        """Decode one window as Whisper does when in doubt: again at higher temperatures."""
        segments, _ = self.model.transcribe(
            samples,
            language=language,
            beam_size=self.settings.beam_size,
            condition_on_previous_text=False,
            word_timestamps=self.settings.word_times,
        )
        return tuple(
            _Line(one.start, one.end, one.text, _words(vars(word) for word in one.words or ()))
            for one in segments
        )


def _words(found: Iterable[Mapping[str, Any]], offset_s: float = 0.0) -> tuple[Word, ...]:
    """faster-whisper's words, with times from some moment of its own."""
    return tuple(
        Word(
            start_s=float(word["start"]) - offset_s,
            end_s=float(word["end"]) - offset_s,
            text=word["word"].strip(),
            probability=float(word["probability"]),
        )
        for word in found
        if word["word"].strip()
    )


def _segments(window: Window, lines: Iterable[_Line]) -> list[Segment]:
    """The transcript of a window, with times in the video."""
    found: list[Segment] = []
    for line in lines:
        start_s, end_s = window.trimmed(window.start_s + line.start_s, window.start_s + line.end_s)
        if line.text.strip() and end_s > start_s:
            found.append(
                Segment(
                    scene=UNASSIGNED,
                    start_s=start_s,
                    end_s=end_s,
                    text=line.text.strip(),
                    words=tuple(_placed(window, word) for word in line.words),
                )
            )
    return found


def _placed(window: Window, word: Word) -> Word:
    """A word with times in the video."""
    start_s, end_s = window.of_word(window.start_s + word.start_s, window.start_s + word.end_s)
    return word.model_copy(update={"start_s": start_s, "end_s": end_s})


def _listener(model: WhisperModel, word_times: bool) -> Any:
    """The batched pipeline, extended to keep what it decoded of each window.

    By itself it drops a sentence that is cut off by its window's end, and does not say where it
    begins; the tokens do. (A function, because its base class is imported only on demand.)
    """
    from faster_whisper import BatchedInferencePipeline
    from faster_whisper.transcribe import get_compression_ratio

    class Listener(BatchedInferencePipeline):  # type: ignore[misc]
        heard: tuple[_Heard, ...] = ()

        def generate_segment_batched(self, features: Any, tokenizer: Any, options: Any) -> Any:
            found = super().generate_segment_batched(features, tokenizer, options)
            self._encoded, self._decoded = found
            return found

        def forward(self, features: Any, tokenizer: Any, windows: Any, options: Any) -> Any:
            found = super().forward(features, tokenizer, windows, options)
            for decoded in self._decoded:
                # No comparison with NaN is true, so the text would pass as reliable.
                if not math.isfinite(decoded["avg_logprob"] + decoded["no_speech_prob"]):
                    raise KairosError(
                        "the scores of speech are NaN or infinite: the weights are damaged"
                    )
            worded = self._worded(found, tokenizer, windows, options) if word_times else found
            self.heard = tuple(
                _Heard(
                    lines=tuple(
                        _Line(
                            piece["start"] - window["offset"],
                            piece["end"] - window["offset"],
                            piece["text"],
                            _words(same.get("words", ()), window["offset"]),
                        )
                        for piece, same in zip(pieces, aligned, strict=True)
                    ),
                    rest_s=_rest_s(decoded["tokens"], tokenizer, self.model.time_precision),
                    mean_log_probability=decoded["avg_logprob"],
                    no_speech=decoded["no_speech_prob"],
                    compression_ratio=get_compression_ratio(
                        tokenizer.decode(decoded["tokens"]).strip()
                    ),
                )
                for window, pieces, aligned, decoded in zip(
                    windows, found, worded, self._decoded, strict=True
                )
            )
            return found

        def _worded(self, found: Any, tokenizer: Any, windows: Any, options: Any) -> Any:
            """Copies of the pieces, with words.

            faster-whisper changes the times of pieces by those of their words; here, sentences
            have the same times with words and without.
            """
            rate = self.model.frames_per_second
            copies = [[dict(piece) for piece in pieces] for pieces in found]
            self.model.add_word_timestamps(
                copies,
                tokenizer,
                self._encoded,
                [int(math.ceil(window["duration"]) * rate) for window in windows],
                options.prepend_punctuations,
                options.append_punctuations,
                0.0,  # Nothing was said before.
            )
            return copies

    return Listener(model)


def _rest_s(tokens: list[int], tokenizer: Any, precision_s: float) -> float | None:
    """Start of the sentence that is unfinished at the end of a window.

    Two times in a row separate sentences: the end of one, the start of the next. A single time at
    the very end closes the last sentence.
    """
    times = [token >= tokenizer.timestamp_begin for token in tokens]
    if times[-2:] == [False, True]:
        return None
    ends = [tokens[n - 1] for n in range(1, len(tokens)) if times[n - 1] and times[n]]
    return (ends[-1] - tokenizer.timestamp_begin) * precision_s if ends else None
