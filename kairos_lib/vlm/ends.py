"""What ends a caption: from a checkpoint's generation settings only the special tokens are used.

Checkpoints have defaults for chatting: sampling, penalties, stop strings and so on. Captions use
only the model's parameters instead, so that models are compared alike.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

FILE = "generation_config.json"
ONE = frozenset({"bos_token_id", "pad_token_id", "decoder_start_token_id", "forced_bos_token_id"})
"""Settings that are one token."""
ONE_OR_MORE = frozenset({"eos_token_id", "forced_eos_token_id"})
MORE = frozenset({"suppress_tokens", "begin_suppress_tokens"})
"""Settings that are one token or several."""
SEQUENCES = frozenset({"bad_words_ids"})
"""Settings that are lists of tokens that a model must not write, such as an image's token."""
SHOWN_CHARS = 60


def settled(
    folder: Path, config: Any, end: int | None, more: tuple[int, ...]
) -> tuple[Any, tuple[str, ...]]:
    """Generation settings apart from those in the model's parameters.

    Args:
        folder: The checkpoint's folder.
        config: The model's configuration, used if the checkpoint lacks the file.
        end: The tokenizer's end token, for a checkpoint that names none.
        more: Tokens that end a caption whatever the checkpoint says.

    Returns:
        The settings, and which of the checkpoint's own were left out, as `name: value`.

    Raises:
        ValueError: The file is not readable.
    """
    from transformers import GenerationConfig

    given = _given(folder, config)
    tokens = config.get_text_config().vocab_size
    kept = {name: value for name, value in given.items() if _about_tokens(name, value, tokens)}
    for name in ("forced_bos_token_id", "forced_eos_token_id"):
        # Forcing a token that is suppressed is an error in transformers.
        if name in kept and set(listed(kept[name])) <= set(kept.get("suppress_tokens", ())):
            del kept[name]
    ends = listed(kept.get("eos_token_id", end))
    left_out = (
        f"{name}: {json.dumps(value)}"[:SHOWN_CHARS]
        for name, value in sorted(given.items())
        if name not in kept and value is not None
    )
    kept["eos_token_id"] = [*ends, *(one for one in more if one not in ends)] or None
    return GenerationConfig(**kept), tuple(left_out)


def _given(folder: Path, config: Any) -> dict[str, Any]:
    from transformers import GenerationConfig

    path = folder / FILE
    if path.exists():
        try:
            given = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError) as error:
            raise ValueError(f"{FILE} cannot be read: {error}") from error
        if not isinstance(given, dict):
            raise ValueError(f"{FILE} is not a JSON object")
    else:
        given = GenerationConfig.from_model_config(config).to_diff_dict()
    return {
        name: value
        for name, value in given.items()
        if not name.startswith("_") and name != "transformers_version"
    }


def _about_tokens(name: str, value: Any, tokens: int) -> bool:
    """Whether a setting is about special tokens, and the model has them."""

    def is_token(one: Any) -> bool:
        return type(one) is int and 0 <= one < tokens

    def are_tokens(several: Any) -> bool:
        return isinstance(several, list) and bool(several) and all(map(is_token, several))

    if name in ONE:
        return is_token(value)
    if name in ONE_OR_MORE:
        return is_token(value) or are_tokens(value)
    if name in MORE:
        return are_tokens(value)
    return (
        name in SEQUENCES
        and isinstance(value, list)
        and bool(value)
        and all(map(are_tokens, value))
    )


def listed(ends: Any) -> list[int]:
    """One token, several or none, as a list."""
    if ends is None:
        return []
    return ends if isinstance(ends, list) else [ends]
