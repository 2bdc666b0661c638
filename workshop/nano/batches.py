"""Batches of examples as tensors, cut into tiles and tokens just as the processor does it."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import interpolate, pad

from workshop.nano.examples import Example, example
from workshop.nano.llava import GRID, IMAGE_PX, IMAGE_TOKEN
from workshop.nano.questions import Question

# Tokens of a 16:9 image: the base tile, and of the other tile the three rows that hold no bar,
# each with a newline.
ROWS = slice(2, 5)
IMAGE_TOKENS = GRID**2 + 3 * (GRID + 1)
IGNORED = -100

_MEAN = torch.tensor([0.48145466, 0.4578275, 0.40821073]).view(3, 1, 1)
_STD = torch.tensor([0.26862954, 0.26130258, 0.27577711]).view(3, 1, 1)


@dataclass(frozen=True)
class Batch:
    """Examples as tensors; see `Example` for the meaning of each."""

    pixels: Tensor
    """Shape (batch, 2 frames, 2 tiles, 3, 112, 112), normalised."""
    tokens: Tensor
    """Prompt and answer, padded on the right: shape (batch, length)."""
    labels: Tensor
    """The answer's tokens where they stand, elsewhere -100: shape (batch, length)."""
    classes: Tensor
    places: Tensor
    ground: Tensor
    texture: Tensor
    count: Tensor

    def to(self, device: torch.device) -> Batch:
        """The same batch on another device."""
        return Batch(**{f.name: getattr(self, f.name).to(device) for f in fields(self)})


def batch_of(processor: Any, rng: random.Random, size: int) -> Batch:
    """Draw a batch of `size` examples."""
    return collate(processor, [example(rng) for _ in range(size)])


def collate(processor: Any, examples: Sequence[Example]) -> Batch:
    """Put examples together."""
    tokens, labels = tokens_of(processor, [e.question for e in examples], len(examples[0].frames))
    return Batch(
        pixels=tiles_of(torch.from_numpy(np.stack([e.frames for e in examples]))),
        tokens=tokens,
        labels=labels,
        classes=torch.from_numpy(np.stack([e.classes for e in examples])),
        places=torch.from_numpy(np.stack([e.places for e in examples])),
        ground=torch.tensor([e.ground for e in examples]),
        texture=torch.tensor([e.texture for e in examples]),
        count=torch.tensor([e.count for e in examples]),
    )


def tiles_of(frames: Tensor) -> Tensor:
    """Cut 16:9 frames into the two tiles of a LLaVA-NeXT with one square pinpoint.

    Args:
        frames: RGB frames of 8 bits, shape (batch, frames, height, width, 3).

    Returns:
        Normalised tiles, shape (batch, frames, 2, 3, 112, 112): squeezed, and with bars.
    """
    flat = frames.flatten(0, 1).permute(0, 3, 1, 2).float()
    high = round(frames.shape[2] * IMAGE_PX / frames.shape[3])
    squeezed = _resize(flat, IMAGE_PX)
    above = (IMAGE_PX - high) // 2
    barred = pad(_resize(flat, high), (0, 0, above, IMAGE_PX - high - above))
    tiles = (torch.stack([squeezed, barred], dim=1) / 255 - _MEAN) / _STD
    return tiles.view(*frames.shape[:2], *tiles.shape[1:])


def _resize(images: Tensor, height: int) -> Tensor:
    scaled = interpolate(images, (height, IMAGE_PX), mode="bicubic", antialias=True)
    return scaled.round().clamp(0, 255)


def tokens_of(processor: Any, questions: Sequence[Question], frames: int) -> tuple[Tensor, Tensor]:
    """Prompts and answers as tokens, in the words of the chat template.

    Args:
        processor: Of a nano LLaVA.
        questions: What is asked about each example's frames, and what is right.
        frames: How many each example has, all of 16:9.

    Returns:
        Tokens, padded on the right, and labels: the answers where they stand, elsewhere -100.
    """
    texts = [_token_ids(processor, question, frames) for question in questions]
    length = max(len(prompt) + len(answer) for prompt, answer in texts)
    padding = processor.tokenizer.pad_token_id
    tokens = torch.full((len(texts), length), padding)
    labels = torch.full((len(texts), length), IGNORED)
    for row, (prompt, answer) in enumerate(texts):
        whole = torch.tensor(prompt + answer)
        tokens[row, : len(whole)] = whole
        labels[row, len(prompt) : len(whole)] = whole[len(prompt) :]
    return tokens, labels


def _token_ids(processor: Any, of: Question, frames: int) -> tuple[list[int], list[int]]:
    turn = {
        "role": "user",
        "content": [{"type": "image"}] * frames + [{"type": "text", "text": of.prompt}],
    }
    prompt = processor.apply_chat_template([turn], add_generation_prompt=True)
    prompt = prompt.replace(IMAGE_TOKEN, IMAGE_TOKEN * IMAGE_TOKENS)
    tokenizer = processor.tokenizer
    answer = tokenizer(" " + of.answer).input_ids
    return tokenizer(prompt).input_ids, [*answer, tokenizer.eos_token_id]
