"""Lessons for a Whisper: from windows to a loss. Knows no clock and no files.

It computes what transformers' model computes, but not for the 1,500 places that every window is
padded to: places that hold the same are one, which attention counts as often as it stands for.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from workshop.nano.whisper import HOP, MAX_POSITIONS, MELS, TIMESTAMPS, WINDOW_POSITIONS, Tokens
from workshop.nano.windows import Window

IGNORED = -100
_CTC_WEIGHT = 0.5
# Every how many of the empty places in a window one is computed.
_EMPTY_STRIDE = 12
# A time that is a step off is nearly right.
_SOFT = ((-2, 0.05), (-1, 0.2), (0, 0.5), (1, 0.2), (2, 0.05))


@dataclass(frozen=True)
class Batch:
    """Windows as numbers."""

    mels: Tensor
    """(windows, 80, frames), with zeros after the end of a window."""
    lengths: Tensor
    """(windows,), the frames of each."""
    inputs: Tensor
    """(windows, tokens), what the decoder is shown."""
    targets: Tensor
    """(windows, tokens), what it is to say next, or `IGNORED`."""
    phonemes: Tensor
    """The phonemes of all windows in one row, from 1."""
    phoneme_counts: Tensor
    """(windows,); 0 where a sentence is cut, so that it is not known which are heard."""


class Collator:
    """Makes batches of windows."""

    def __init__(self, tokens: Tokens, pronunciations: dict[str, tuple[str, ...]]) -> None:
        """Prepare for the tokens of a model and the phonemes of its words."""
        from faster_whisper.feature_extractor import FeatureExtractor

        self.tokens = tokens
        known = sorted({p for word in pronunciations.values() for p in word})
        numbers = {phoneme: i for i, phoneme in enumerate(known, start=1)}
        self.phonemes = {w: [numbers[p] for p in said] for w, said in pronunciations.items()}
        self.classes = len(known) + 1
        filters = FeatureExtractor.get_mel_filters(16_000, 400, n_mels=MELS)
        self._filters = torch.from_numpy(filters.astype(np.float32))
        self._hann = torch.hann_window(400)

    def mel(self, samples: np.ndarray[Any, np.dtype[np.float32]], louder: float = 0.0) -> Tensor:
        """The features that faster-whisper makes, (80, frames).

        Args:
            samples: At 16 kHz.
            louder: By how much, in powers of ten, something else in the recording is louder; it
                decides where silence begins.
        """
        padded = functional.pad(torch.from_numpy(samples), (0, HOP))
        wave = torch.stft(padded, 400, HOP, window=self._hann, return_complex=True)
        logs = (self._filters @ wave[:, :-1].abs().square()).clamp_min(1e-10).log10()
        floor = logs.max() + louder - 8.0
        return (logs.maximum(floor)[:, : len(samples) // HOP] + 4.0) / 4.0

    def batch(self, windows: Sequence[Window], rng: random.Random) -> Batch:
        """Put windows together."""
        mels = [self.mel(w.samples, rng.choice((0.0, rng.uniform(0, 1.5)))) for w in windows]
        lengths = torch.tensor([mel.shape[1] for mel in mels])
        # Beyond four frames of zeros the convolutions see nothing of the sound before.
        frames = int(lengths.max()) + 4
        frames = min(frames + frames % 2, 2 * WINDOW_POSITIONS)
        told = [self._told(window, rng) for window in windows]
        width = max(len(inputs) for inputs, _ in told)
        phonemes = [self._pronounced(window) for window in windows]
        return Batch(
            torch.stack([functional.pad(m, (0, frames - m.shape[1])) for m in mels]),
            lengths,
            torch.tensor([i + [self.tokens.end] * (width - len(i)) for i, _ in told]),
            torch.tensor([t + [IGNORED] * (width - len(t)) for _, t in told]),
            torch.tensor([p for row in phonemes for p in row], dtype=torch.long),
            torch.tensor([len(row) for row in phonemes]),
        )

    def _told(self, window: Window, rng: random.Random) -> tuple[list[int], list[int]]:
        tokens = self.tokens
        if not window.heard:
            # faster-whisper wants a time first, whichever: after it there is nothing to say.
            first = tokens.at(rng.uniform(0, 1))
            return [tokens.start, first], [tokens.no_speech, tokens.end]
        said: list[int] = []
        for heard in window.heard:
            start = tokens.at(heard.start_s)
            if heard.end_s is None:
                # What goes on beyond the window is left for the next one, which begins with it.
                said += [start]
                break
            words = [tokens.words[word] for word in heard.text.split()]
            said += [start, *words, tokens.at(heard.end_s)]
        if window.heard[-1].end_s is not None:
            # The end twice: after it once, faster-whisper takes the whole window for the segment.
            said.append(said[-1])
        return [tokens.start, *said], [*said, tokens.end]

    def _pronounced(self, window: Window) -> list[int]:
        if any(heard.end_s is None for heard in window.heard):
            return []
        return [p for h in window.heard for word in h.text.split() for p in self.phonemes[word]]


class Listener(nn.Module):
    """A Whisper that learns, with an ear for phonemes that is left behind afterwards."""

    def __init__(self, model: Any, tokens: Tokens, phonemes: int) -> None:
        """Teach `model`; `phonemes` counts the blank."""
        super().__init__()
        self.model = model
        self.tokens = tokens
        self.ear = nn.Linear(model.config.d_model, phonemes)

    def hear(self, mels: Tensor, stride: int = _EMPTY_STRIDE) -> tuple[Tensor, Tensor, int]:
        """Encode windows.

        Args:
            mels: (windows, 80, frames).
            stride: Every how many empty places one is computed; 1 is exact.

        Returns:
            States (windows, places, width), what to add to the attention to each place, (places,),
            and how many places from the first hold sound.
        """
        encoder = self.model.model.encoder
        sound = self._convolved(mels)
        nothing = self._convolved(mels.new_zeros(1, MELS, 16))[:, 4:5]
        filled = sound.shape[1]
        where = encoder.embed_positions.weight
        empty = torch.arange(filled, WINDOW_POSITIONS)[stride // 2 :: stride]
        never = MAX_POSITIONS - WINDOW_POSITIONS
        counts = torch.ones(filled + len(empty) + 1)
        if len(empty):
            counts[filled:-1] = (WINDOW_POSITIONS - filled) / len(empty)
        else:
            never += WINDOW_POSITIONS - filled
        counts[-1] = never
        bias = counts.log()
        rest = nothing + torch.cat([where[empty], where[-1:]])
        x = torch.cat([sound + where[:filled], rest.expand(len(sound), -1, -1)], dim=1)
        for layer in encoder.layers:
            normed = layer.self_attn_layer_norm(x)
            x = x + _attend(layer.self_attn, normed, normed, bias.expand(x.shape[1], -1))
            normed = layer.final_layer_norm(x)
            x = x + layer.fc2(functional.gelu(layer.fc1(normed)))
        return encoder.layer_norm(x), bias, filled

    def tell(self, states: Tensor, bias: Tensor, inputs: Tensor) -> Tensor:
        """Logits of the token after each, (windows, tokens, vocabulary)."""
        decoder = self.model.model.decoder
        length = inputs.shape[1]
        causal = torch.full((length, length), -math.inf).triu(1)
        x = decoder.embed_tokens(inputs) + decoder.embed_positions.weight[:length]
        for layer in decoder.layers:
            normed = layer.self_attn_layer_norm(x)
            x = x + _attend(layer.self_attn, normed, normed, causal)
            normed = layer.encoder_attn_layer_norm(x)
            x = x + _attend(layer.encoder_attn, normed, states, bias.expand(length, -1))
            normed = layer.final_layer_norm(x)
            x = x + layer.fc2(functional.gelu(layer.fc1(normed)))
        told: Tensor = self.model.proj_out(decoder.layer_norm(x))
        return told

    def learn(self, batch: Batch) -> tuple[Tensor, dict[str, float]]:
        """The loss on a batch, and shares of tokens that were right."""
        states, bias, filled = self.hear(batch.mels)
        logits = self.tell(states, bias, batch.inputs)
        asked = batch.targets != IGNORED
        targets, log_p = batch.targets[asked], logits[asked].log_softmax(-1)
        loss = -_soft(log_p, targets, self.tokens.first_timestamp).mean()
        sounds = self.ear(states[:, :filled]).log_softmax(-1).transpose(0, 1)
        spelled = functional.ctc_loss(
            sounds,
            batch.phonemes,
            torch.div(batch.lengths, 2, rounding_mode="floor").clamp(1, filled),
            batch.phoneme_counts,
            reduction="none",
            zero_infinity=True,
        )
        known = batch.phoneme_counts > 0
        ctc = (spelled[known] / batch.phoneme_counts[known]).sum() / max(int(known.sum()), 1)
        first = self.tokens.first_timestamp
        told, timed = log_p.argmax(-1), targets >= first
        right = (told == targets)[~timed].float().mean()
        near = ((told - targets).abs() <= 2)[timed].float().mean() if timed.any() else right
        notes = {"text": right.item(), "time": near.item(), "ctc": ctc.item()}
        return loss + _CTC_WEIGHT * ctc, notes

    def _convolved(self, mels: Tensor) -> Tensor:
        encoder = self.model.model.encoder
        x = functional.gelu(encoder.conv2(functional.gelu(encoder.conv1(mels))))
        return x.transpose(1, 2)


def _attend(attention: Any, x: Tensor, over: Tensor, bias: Tensor) -> Tensor:
    """Attention with weights of transformers; `bias` (queries, keys) is added to its scores."""

    def heads(states: Tensor) -> Tensor:
        return states.view(*states.shape[:2], attention.num_heads, -1).transpose(1, 2)

    mixed = functional.scaled_dot_product_attention(
        heads(attention.q_proj(x)),
        heads(attention.k_proj(over)),
        heads(attention.v_proj(over)),
        attn_mask=bias,
    )
    out: Tensor = attention.out_proj(mixed.transpose(1, 2).flatten(2))
    return out


def _soft(log_p: Tensor, targets: Tensor, first_timestamp: int) -> Tensor:
    """Log-probability of every target, (tokens,), where a time's neighbours count for a part."""
    timed = targets >= first_timestamp
    total = torch.zeros_like(log_p[:, 0])
    for offset, share in _SOFT:
        at = (targets + offset).clamp(first_timestamp, first_timestamp + TIMESTAMPS - 1)
        at = torch.where(timed, at, targets)
        total = total + share * log_p.gather(1, at[:, None])[:, 0]
    return total
