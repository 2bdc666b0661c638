"""How a checkpoint's own chat template words a request: found out before its weights are loaded."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from kairos_lib.errors import KairosError
from kairos_lib.vlm.adapter import Request

NOTHING = Request(0, (np.zeros((1, 1, 3), np.uint8),) * 2, (0.0, 1.0), "Describe.")
"""A request to try a template on."""


def fill_in(name: str, processor: Any) -> None:
    """Give a processor the template and the padding that its tokenizer has.

    Args:
        name: The model's, for an error.
        processor: Changed in place.

    Raises:
        KairosError: Its tokenizer cannot pad a batch.
    """
    tokenizer = processor.tokenizer
    if getattr(processor, "chat_template", None) is None:
        # Older checkpoints have theirs in `tokenizer_config.json` alone.
        processor.chat_template = tokenizer.chat_template
    # Batches of unequal prompts must end at the same place, where writing begins.
    tokenizer.padding_side = "left"
    if tokenizer.pad_token is None:
        if tokenizer.eos_token is None:
            raise KairosError(
                f"the tokenizer of {name} has neither a pad_token nor an eos_token, with which "
                "prompts of unequal length are filled up: give one in its tokenizer_config.json"
            )
        tokenizer.pad_token = tokenizer.eos_token


def check(name: str, worded: Callable[[list[Request]], list[str]]) -> None:
    """See that a model's chat template words a request.

    Raises:
        KairosError: There is none, or it does not.
    """
    from jinja2 import TemplateError

    try:
        worded([NOTHING])
    except (ValueError, TypeError, TemplateError) as error:
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise KairosError(
            f"{name} has no chat template that pictures and words fit into ({reason[0]}): a "
            "checkpoint brings it as chat_template.jinja"
        ) from error


def begun(tokenizer: Any, texts: list[str]) -> bool:
    """Whether templates wrote what a tokenizer would put around a text, such as a BOS.

    Where a template writes no special tokens of the kind, the tokenizer's own are meant.
    """
    around = tokenizer.convert_ids_to_tokens(tokenizer("")["input_ids"])
    return any(token in text for token in around for text in texts)
