"""Prompts with numbered pictures as the model's input ids, alone or in batches.

Of pixels it knows only how many tokens stand for a picture.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from kairos_lib.errors import KairosError

if TYPE_CHECKING:
    import torch

TAG = re.compile(r"<\|image_(\d+)\|>")


def tags(count: int) -> str:
    """The tags of `count` pictures, one per line, in order."""
    return "".join(f"<|image_{number}|>\n" for number in range(1, count + 1))


def input_ids(tokenizer: Any, text: str, tokens: Sequence[int], image_token_id: int) -> list[int]:
    """Input ids of one prompt, with as many placeholders for each picture as it has tokens.

    Every piece of text between pictures is tokenized separately, as the original does, so that each
    begins with whatever the tokenizer puts at the beginning.

    Raises:
        KairosError: The tags are not 1 to n, once each and in order. The original inserts pictures
            by order and not by number, and would silently mix them up.
    """
    numbers = [int(number) for number in TAG.findall(text)]
    if numbers != list(range(1, len(tokens) + 1)):
        raise KairosError(
            f"the prompt names the pictures {numbers or 'not at all'}, but there are "
            f"{len(tokens)}: name each once and in order, from <|image_1|>"
        )
    first, *others = TAG.split(text)[::2]
    ids = list(tokenizer(first)["input_ids"])
    for stretch, count in zip(others, tokens, strict=True):
        ids += [image_token_id] * count
        ids += tokenizer(stretch)["input_ids"]
    return ids


def padded(rows: Sequence[Sequence[int]], pad_id: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Rows of unequal length as ids and mask, padded on the left so that all end together."""
    import torch

    longest = max(len(row) for row in rows)
    ids = torch.full((len(rows), longest), pad_id)
    mask = torch.zeros(len(rows), longest, dtype=torch.long)
    for number, row in enumerate(rows):
        ids[number, longest - len(row) :] = torch.tensor(row)
        mask[number, longest - len(row) :] = 1
    return ids, mask
