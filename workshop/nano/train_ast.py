"""Trains the nano AST on sounds of the small world: `python -m workshop.nano.train_ast`.

Takes a quarter of an hour on one CPU core. Needs espeak-ng, for it must tell speech from the
rest. It can be killed and goes on from its last checkpoint.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import click
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from kairos_lib.media.audio import SAMPLE_RATE_HZ
from kairos_lib.nano.script import SOUNDS
from kairos_lib.weights.location import NANO as SHIPPED
from workshop.nano.soundscapes import Heard, SoundBank
from workshop.nano.training import Lesson, Training, training_options
from workshop.nano.voice import NoVoiceError

log = logging.getLogger("kairos.nano")

WEIGHTS = SHIPPED / "ast"
BATCH = 16
# Seeds below this are kept for tests and demo clips.
FIRST_SEED = 2_000_000
# Without torchaudio a spectrogram takes as long as a step of learning from it, so each is made
# once and learnt from a few times.
WINDOWS = 10_000
_SOUNDS_EACH = 150

_MEL_BINS = 64
_FRAMES = 1024


@click.command()
@training_options("ast", minutes=9.0, out=WEIGHTS)
def main(minutes: float, work: Path, out: Path, seed: int) -> None:
    """Train the nano AST, going on where a killed training stopped."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    torch.manual_seed(seed)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    extractor, model = build_extractor(), build_model().to(device)
    training = Training(model, [optimizer_for(model)], work / "checkpoint.pt", minutes * 60.0)
    training.resume()
    rng = random.Random(FIRST_SEED + seed + 7919 * training.step)
    windows = _windows(work / f"windows-{seed}.npz", extractor, FIRST_SEED + seed)
    training.run(lessons(model, windows, rng, device))
    save(model, extractor, out)
    log.info("saved to %s after %.1f minutes of training", out, training.spent_s / 60)


def build_extractor() -> Any:
    """A feature extractor that hears 10.24 s in 1,024 frames."""
    import transformers

    library: Any = transformers
    return library.ASTFeatureExtractor(num_mel_bins=_MEL_BINS, max_length=_FRAMES)


def build_model() -> Any:
    """An AST with random weights, of a two-hundredth of the real one's size."""
    import transformers

    library: Any = transformers
    config = library.ASTConfig(
        hidden_size=96,
        num_hidden_layers=3,
        num_attention_heads=4,
        intermediate_size=288,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
        patch_size=16,
        frequency_stride=16,
        time_stride=16,
        num_mel_bins=_MEL_BINS,
        max_length=_FRAMES,
        id2label=dict(enumerate(SOUNDS)),
        label2id={label: index for index, label in enumerate(SOUNDS)},
        problem_type="multi_label_classification",
    )
    model: Any = library.ASTForAudioClassification(config)
    nn.init.normal_(model.audio_spectrogram_transformer.embeddings.position_embeddings, std=0.02)
    return model


def optimizer_for(model: nn.Module) -> torch.optim.Optimizer:
    """AdamW for everything."""
    return torch.optim.AdamW(model.parameters(), lr=1e-3, betas=(0.9, 0.98), weight_decay=0.02)


class Windows:
    """Spectrograms of windows, without their padding, and what is heard in them."""

    def __init__(
        self, features: Sequence[np.ndarray], labels: np.ndarray, padding: np.float32
    ) -> None:
        """Keep features of shape (frames, bins) each, labels of shape (n, 8), and the padding."""
        self.lengths = np.array([len(f) for f in features])
        self.features = np.concatenate(features)
        self.labels = labels
        self.padding = padding
        self._starts = np.cumsum(self.lengths) - self.lengths

    @classmethod
    def of(cls, heard: Iterable[Heard], extractor: Any) -> Windows:
        """Make the spectrograms by the extractor that is saved with the model."""
        features, labels = [], []
        padding = _padding(extractor)
        for window in heard:
            padded = extractor(window.wave, sampling_rate=SAMPLE_RATE_HZ, return_tensors="np")
            frames = np.asarray(padded["input_values"][0])
            # Even the longest window is two frames short, and no sound lies just at the value of
            # the padding in all bins at once.
            filled = np.flatnonzero((frames != padding).any(axis=1))
            features.append(frames[: filled[-1] + 1].astype(np.float16))
            labels.append(window.labels)
        return cls(features, np.stack(labels), padding)

    def batch(self, indices: Sequence[int]) -> tuple[Tensor, Tensor]:
        """Padded spectrograms of shape (n, 1024, 64) and labels of shape (n, 8)."""
        padded = np.full((len(indices), _FRAMES, _MEL_BINS), self.padding, dtype=np.float32)
        for row, index in enumerate(indices):
            start, length = self._starts[index], self.lengths[index]
            padded[row, :length] = self.features[start : start + length]
        return torch.from_numpy(padded), torch.from_numpy(self.labels[list(indices)])


def lessons(model: Any, windows: Windows, rng: random.Random, device: torch.device) -> Lesson:
    """Lessons in telling every sound of a window from those that are not in it."""
    model.train()

    def lesson(step: int, progress: float) -> tuple[Tensor, dict[str, float]]:
        chosen = rng.sample(range(len(windows.lengths)), min(BATCH, len(windows.lengths)))
        features, truth = (part.to(device) for part in windows.batch(chosen))
        with torch.autocast(device.type, torch.bfloat16):
            logits = model(features).logits.float()
        asked = (truth != 0.5).float()
        loss = (binary_cross_entropy_with_logits(logits, truth, reduction="none") * asked).sum(1)
        right = (((logits > 0) == (truth > 0.5)).float() + 1 - asked).clamp(max=1)
        return loss.mean(), {"window": right.amin(1).mean().item()}

    return lesson


def save(model: Any, extractor: Any, out: Path) -> None:
    """Write model and extractor in the format of any other AST, in half precision."""
    out.mkdir(parents=True, exist_ok=True)
    model.to("cpu", torch.float16).save_pretrained(out)
    extractor.save_pretrained(out)


def _padding(extractor: Any) -> np.float32:
    """What frames beyond the end of a window are filled with: nought, before normalising."""
    return np.float32(extractor.normalize(np.zeros(1, dtype=np.float32))[0])


def _windows(cache: Path, extractor: Any, seed: int) -> Windows:
    """The windows to learn from, made once for all the parts of a killed run."""
    padding = _padding(extractor)
    if cache.exists():
        with np.load(cache) as kept:
            ends = np.cumsum(kept["lengths"])[:-1]
            return Windows(np.split(kept["features"], ends), kept["labels"], padding)
    rng = random.Random(seed)
    try:
        bank = SoundBank(rng, _SOUNDS_EACH)
    except NoVoiceError as error:
        raise click.ClickException(str(error)) from error
    log.info("made the sounds")
    windows = Windows.of((bank.draw(rng) for _ in range(WINDOWS)), extractor)
    cache.parent.mkdir(parents=True, exist_ok=True)
    # Written beside and moved into place: a kill must not leave half a file.
    draft = cache.with_suffix(".part.npz")
    np.savez(draft, features=windows.features, labels=windows.labels, lengths=windows.lengths)
    draft.replace(cache)
    log.info("made %d windows", len(windows.lengths))
    return windows


if __name__ == "__main__":
    main()
