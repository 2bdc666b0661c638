"""Checks how a checkpoint's chat template formats a request, before its weights are loaded."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from kairos_lib.errors import KairosError
from kairos_lib.vlm.adapter import Request

NOTHING = Request(0, (np.zeros((1, 1, 3), np.uint8),) * 2, (0.0, 1.0), "Describe.")
"""A request to try a template on."""


def fill_in(name: str, processor: Any) -> None:
    """Copy the tokenizer's chat template and padding token to a processor if it lacks them.

    Args:
        name: The model's name, for error messages.
        processor: Changed in place.

    Raises:
        KairosError: Its tokenizer cannot pad a batch.
    """
    tokenizer = processor.tokenizer
    if getattr(processor, "chat_template", None) is None:
        # Older checkpoints have it only in `tokenizer_config.json`.
        processor.chat_template = tokenizer.chat_template
    # Batches of unequal prompts must end at the same position, where generation begins.
    tokenizer.padding_side = "left"
    if tokenizer.pad_token is None:
        if tokenizer.eos_token is None:
            raise KairosError(
                f"the tokenizer of {name} has neither a pad_token nor an eos_token, which are "
                f"needed to pad prompts of unequal length: give one in its tokenizer_config.json"
            )
        tokenizer.pad_token = tokenizer.eos_token


def check(name: str, worded: Callable[[list[Request]], list[str]]) -> None:
    """Check that a model's chat template can format a request.

    Raises:
        KairosError: There is no template, or it cannot.
    """
    from jinja2 import TemplateError

    try:
        worded([NOTHING])
    except (ValueError, TypeError, TemplateError) as error:
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise KairosError(
            f"{name} has no chat template that accepts pictures and text ({reason[0]}): a "
            "checkpoint provides it as chat_template.jinja"
        ) from error


def begun(tokenizer: Any, texts: list[str]) -> bool:
    """Whether templates already wrote what a tokenizer would put around a text, such as a BOS.

    If a template writes no special tokens of that kind, the tokenizer adds its own.
    """
    around = tokenizer.convert_ids_to_tokens(tokenizer("")["input_ids"])
    return any(token in text for token in around for text in texts)
