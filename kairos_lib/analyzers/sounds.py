"""Sounds: audio events of each scene by an audio spectrogram transformer, without speech."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import numpy as np
from pydantic import Field

from kairos_lib.analyzers.analyzer import Device, Stage
from kairos_lib.analyzers.batching import Batches
from kairos_lib.analyzers.slices import AudioSlice
from kairos_lib.analyzers.vad import Span
from kairos_lib.errors import KairosError
from kairos_lib.media import audio
from kairos_lib.parameters.settings import Settings
from kairos_lib.parameters.weights import Weights
from kairos_lib.runs.journal import Journal
from kairos_lib.runs.record import Record
from kairos_lib.weights.checkpoint_files import check_files
from kairos_lib.weights.checkpoints import check_numbers, check_whole

if TYPE_CHECKING:
    from kairos_lib.analyzers.profile import Base


class SoundsSettings(Settings):
    """Audio events by an audio spectrogram transformer."""

    weights: Weights | None = None
    top_k: int = Field(3, ge=1)
    min_score: float = Field(0.1, ge=0, le=1)
    batch_size: int = Field(32, ge=1)


class SoundEvent(Record):
    """A sound heard in a scene."""

    scene: int
    label: str
    score: float


WINDOW_S = 10.24
"""1,024 spectrogram frames of 10 ms: AST's maximum input (Gong et al., 2021)."""
SHORTEST_S = 0.5
"""If less than this remains beside the speech, it is too short to classify."""


class Window(NamedTuple):
    """A part of one scene without its speech; without samples, a scene that is all speech."""

    scene: int
    samples: np.ndarray
    speech_share: float
    """Times of the whole scene."""


class Analyzer(Stage):
    """Scores windows in batches; a scene's scores are the mean over its windows."""

    name: ClassVar[str] = "sounds"
    version: ClassVar[int] = 2
    record: ClassVar[type[SoundEvent]] = SoundEvent
    settings: ClassVar[type[Settings]] = SoundsSettings
    data_name: ClassVar[str] = "ast"
    heading: ClassVar[str] = "Heard"
    nothing: ClassVar[str] = "no sounds"
    not_run: ClassVar[str] = "not listened to"
    filter_title: ClassVar[str] = "Sound"
    needs: ClassVar[tuple[str, ...]] = ("scenes", "vad", "slices")
    packages: ClassVar[tuple[str, ...]] = ("torch", "transformers")
    device: Device = "gpu"
    memory_mib: int = 1500

    @classmethod
    def prompt_line(cls, records: Sequence[SoundEvent]) -> str:
        """Their labels, the most likely first."""
        return "Sounds: " + ", ".join(sound.label for sound in records) if records else ""

    @classmethod
    def view(cls, records: Sequence[SoundEvent]) -> str:
        """Their labels with scores."""
        return ", ".join(f"{sound.label} {sound.score:.0%}" for sound in records)

    @classmethod
    def labels(cls, records: Sequence[SoundEvent]) -> list[str]:
        """Labels as the model names them."""
        return [sound.label for sound in records]

    @classmethod
    def figures(cls, records: Sequence[SoundEvent]) -> Mapping[str, str]:
        """The sound of most scenes. They have no times: the labels of scenes are its lane."""
        heard = Counter(sound.label for sound in records).most_common(1)
        return {"Most often heard": heard[0][0]} if heard else {}

    @classmethod
    def weights(cls, profile: Base) -> Weights | None:
        """A transformers folder with its feature extractor."""
        own: SoundsSettings = profile.sounds
        return own.weights

    @classmethod
    def uses_weights(cls, profile: Base) -> bool:
        """Always."""
        return True

    def skip(self) -> str:
        """There must be audio."""
        return self.silent()

    @classmethod
    def load(cls, settings: Any, weights: Path, device: str) -> Classifier:
        """The classifier on its device."""
        return Classifier(str(weights), device)

    def run(self) -> Iterator[SoundEvent]:
        """Yield each scene's most likely sounds, the most certain first."""
        batches = Batches[Window, np.ndarray](
            self.model.scores, self.fitting(self.context.profile.sounds.batch_size)
        )
        held: Window | None = None
        rows: list[np.ndarray] = []
        for window, row in batches.results(self._windows()):
            if held is not None and window.scene != held.scene:
                yield from self._events(held, rows)
                rows = []
            held = window
            rows.append(row)
        if held is not None:
            yield from self._events(held, rows)
        self.batch_size = batches.size

    def _events(self, window: Window, rows: list[np.ndarray]) -> Iterator[SoundEvent]:
        """The sounds of one scene, from the scores of all its windows."""
        if not len(window.samples):
            if window.speech_share:
                yield SoundEvent(scene=window.scene, label="speech", score=window.speech_share)
            return
        settings = self.context.profile.sounds
        mean = np.mean(rows, axis=0)
        for index in np.argsort(-mean)[: settings.top_k]:
            if mean[index] >= settings.min_score:
                label = self.model.labels[int(index)]
                yield SoundEvent(scene=window.scene, label=label, score=float(mean[index]))

    def _windows(self) -> Iterator[Window]:
        """All windows of all scenes in order, without their speech.

        Scenes and speech are both in order of time: they are traversed in parallel.
        """
        folder = self.context.folder
        scenes = self.context.scenes()
        speech = iter(Journal(folder / "vad.jsonl", Span))
        spans: list[Span] = []
        upcoming = next(speech, None)
        for piece in Journal(folder / "slices.jsonl", AudioSlice):
            scene = scenes[piece.scene]
            while upcoming is not None and upcoming.start_s < scene.end_s:
                spans.append(upcoming)
                upcoming = next(speech, None)
            spans = [span for span in spans if span.end_s > scene.start_s]
            samples = audio.read(folder / piece.file)
            yield from windows(piece.scene, samples, scene.start_s, spans)
            self.context.progress(piece.scene + 1, len(scenes))


def windows(
    scene: int, samples: np.ndarray, start_s: float, spans: Sequence[Span]
) -> Iterator[Window]:
    """One scene's audio without its speech, in windows; at least one, which can be empty.

    Args:
        scene: Its number.
        samples: Its audio at 16 kHz, shape (samples,).
        start_s: Start of the scene.
        spans: The speech in it.
    """
    keep = np.ones(len(samples), dtype=bool)
    for span in spans:
        first = round((span.start_s - start_s) * audio.SAMPLE_RATE_HZ)
        last = round((span.end_s - start_s) * audio.SAMPLE_RATE_HZ)
        keep[max(0, first) : max(0, last)] = False
    rest = samples[keep]
    share = 1 - len(rest) / len(samples) if len(samples) else 0.0
    size = int(WINDOW_S * audio.SAMPLE_RATE_HZ)
    pieces = [rest[at : at + size] for at in range(0, len(rest), size)]
    # A short remainder of a long scene would weigh as much as a whole window.
    pieces = [piece for piece in pieces if len(piece) >= SHORTEST_S * audio.SAMPLE_RATE_HZ]
    for piece in pieces or [rest[:0]]:
        yield Window(scene, piece, share)


class Classifier:
    """An audio spectrogram transformer with its feature extractor.

    Args:
        path: A transformers folder.
        device: `cpu`, `cuda`, or one of several: `cuda:1`.
    """

    def __init__(self, path: str, device: str = "cpu") -> None:
        import torch
        import transformers
        from safetensors import SafetensorError

        self._torch = torch
        self._device = device
        extractors: Any = transformers.AutoFeatureExtractor
        models: Any = transformers.ASTForAudioClassification
        try:
            check_files(Path(path))
            self._extractor = extractors.from_pretrained(path, trust_remote_code=False)
            model, found = models.from_pretrained(
                path,
                dtype=torch.float32,
                trust_remote_code=False,
                use_safetensors=True,
                attn_implementation="sdpa",
                output_loading_info=True,
                # Kairos reports this itself in one line, so the long report is silenced.
                ignore_mismatched_sizes=True,
            )
            check_whole(found)
            check_numbers(model.named_parameters())
        except (OSError, ValueError, ImportError, RuntimeError, SafetensorError) as error:
            reason = next(iter(str(error).splitlines()), type(error).__name__)
            raise KairosError(f"cannot load the weights of sounds from {path}: {reason}") from error
        self._model = model.to(self._device).eval()
        self.labels: dict[int, str] = self._model.config.id2label

    def scores(self, batch: Sequence[Window]) -> list[np.ndarray]:
        """Each window's scores, shape (labels,).

        AudioSet has several labels at once, so each score is a separate sigmoid. An empty window
        has no scores and costs nothing.
        """
        heard = [window for window in batch if len(window.samples)]
        rows = iter(self._rows(heard) if heard else ())
        silent = np.zeros(len(self.labels), dtype=np.float32)
        return [next(rows) if len(window.samples) else silent for window in batch]

    def _rows(self, heard: list[Window]) -> np.ndarray:
        features = self._extractor(
            [window.samples for window in heard],
            sampling_rate=audio.SAMPLE_RATE_HZ,
            return_tensors="pt",
        )
        with self._torch.inference_mode():
            logits = self._model(features["input_values"].to(self._device)).logits
            if not bool(logits.isfinite().all()):
                raise KairosError(
                    "the scores of sounds are NaN or infinite: the weights are damaged"
                )
            rows: np.ndarray = self._torch.sigmoid(logits).float().cpu().numpy()
        return rows
