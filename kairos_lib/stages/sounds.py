"""Sounds: audio events of each scene by an audio spectrogram transformer, speech cut out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar, Literal, NamedTuple

import numpy as np

from kairos_lib.media import audio
from kairos_lib.records import SoundEvent, Span
from kairos_lib.runs import Journal
from kairos_lib.settings import Base, Weights
from kairos_lib.stages.audio import AudioSlice
from kairos_lib.stages.stage import Stage

WINDOW_S = 10.24
"""1,024 spectrogram frames of 10 ms: all that AST sees at once (Gong et al., 2021)."""
SHORTEST_S = 0.5
"""Less than this left over beside the speech is too little to tell anything by."""


class Window(NamedTuple):
    """A stretch of one scene, speech cut out."""

    scene: int
    samples: np.ndarray


class Analyzer(Stage):
    """Scores windows in batches; a scene's scores are the mean of its windows'."""

    name: ClassVar[str] = "sounds"
    version: ClassVar[int] = 1
    record: ClassVar[type[SoundEvent]] = SoundEvent
    needs: ClassVar[tuple[str, ...]] = ("scenes", "audio", "vad")
    device: ClassVar[Literal["cpu", "gpu", "io"]] = "gpu"
    memory_mib: ClassVar[int] = 1500
    needs_weights: ClassVar[bool] = True

    @classmethod
    def weights(cls, profile: Base) -> Weights | None:
        """A transformers folder with its feature extractor."""
        return profile.sounds.weights

    def skip(self) -> str:
        """Nothing to hear."""
        return "" if self.context.facts.audio_streams else "the video has no audio stream"

    def run(self) -> Iterator[SoundEvent]:
        """Give each scene's likeliest sounds, most certain first."""
        settings = self.context.profile.sounds
        scores: dict[int, list[np.ndarray]] = {}
        all_speech: dict[int, float] = {}
        batch: list[Window] = []
        model = _Model(str(self.context.weights.path))
        slices = list(Journal(self.context.folder / "audio.jsonl", AudioSlice))
        for number, piece in enumerate(slices, start=1):
            windows, speech_share = self._windows(piece)
            if not windows:
                all_speech[piece.scene] = speech_share
            for window in windows:
                batch.append(window)
                if len(batch) == settings.batch_size:
                    model.score_into(scores, batch)
                    batch = []
            self.context.progress(number, len(slices))
        if batch:
            model.score_into(scores, batch)
        for piece in slices:
            if piece.scene in all_speech:
                if all_speech[piece.scene] > 0:
                    share = all_speech[piece.scene]
                    yield SoundEvent(scene=piece.scene, label="speech", score=share)
                continue
            mean = np.mean(scores[piece.scene], axis=0)
            for index in np.argsort(-mean)[: settings.top_k]:
                if mean[index] >= settings.min_score:
                    yield SoundEvent(
                        scene=piece.scene, label=model.labels[int(index)], score=float(mean[index])
                    )

    def _windows(self, piece: AudioSlice) -> tuple[list[Window], float]:
        """A scene's windows without its speech, and the share of it that was speech."""
        scene = self.context.scenes()[piece.scene]
        samples = audio.read(self.context.folder / piece.file)
        keep = np.ones(len(samples), dtype=bool)
        for span in Journal(self.context.folder / "vad.jsonl", Span):
            first = round((span.start_s - scene.start_s) * audio.SAMPLE_RATE_HZ)
            last = round((span.end_s - scene.start_s) * audio.SAMPLE_RATE_HZ)
            keep[max(0, first) : max(0, last)] = False
        rest = samples[keep]
        share = 1 - len(rest) / len(samples) if len(samples) else 0.0
        size = int(WINDOW_S * audio.SAMPLE_RATE_HZ)
        shortest = SHORTEST_S * audio.SAMPLE_RATE_HZ
        pieces = [rest[start : start + size] for start in range(0, len(rest), size)]
        # A short remainder of a long scene would weigh as much as a whole window.
        return [Window(piece.scene, p) for p in pieces if len(p) >= shortest], share


class _Model:
    def __init__(self, path: str) -> None:
        import torch
        import transformers

        self._torch = torch
        self._device = "cuda" if torch.cuda.is_available() else "cpu"
        extractors: Any = transformers.AutoFeatureExtractor
        self._extractor = extractors.from_pretrained(path)
        models: Any = transformers.ASTForAudioClassification
        model = models.from_pretrained(path, dtype=torch.float32)
        self._model = model.to(self._device).eval()
        self.labels: dict[int, str] = self._model.config.id2label

    def score_into(self, scores: dict[int, list[np.ndarray]], batch: list[Window]) -> None:
        """Add each window's scores, of shape (labels,), to its scene's.

        AudioSet has several labels at once, so each is a sigmoid of its own.
        """
        features = self._extractor(
            [window.samples for window in batch],
            sampling_rate=audio.SAMPLE_RATE_HZ,
            return_tensors="pt",
        )
        with self._torch.inference_mode():
            logits = self._model(features["input_values"].to(self._device)).logits
            rows = self._torch.sigmoid(logits).float().cpu().numpy()
        for window, row in zip(batch, rows, strict=True):
            scores.setdefault(window.scene, []).append(row)
