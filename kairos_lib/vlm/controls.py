"""Keeps words from a video from being read as control tokens; the same for all families.

A transcript or a sign may contain `<image>` or `<|im_end|>`, which a tokenizer would read as a
picture or as the end of a turn. A space after its first character keeps it legible and makes it
plain text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

SHAPES = r"[<＜][|｜]|[<＜]/?[^\W\d][\w.:-]*/?[>＞]|\[/?[A-Za-z_]*[A-Z]{2}[A-Za-z_]*\]"
"""What control tokens look like: `<|end|>`, `<image>`, `</s>`, `[INST]`. Needed for servers, whose
tokenizers are unknown, and for tags that a family looks for in the text itself."""


class Controls:
    """The control tokens of one model."""

    def __init__(self, processor: Any = None) -> None:
        """Read the tokens of a transformers processor; without one, only the pattern is used."""
        known = sorted(_known(processor), key=len, reverse=True) if processor is not None else []
        self._found = re.compile("|".join([*map(re.escape, known), SHAPES]))

    def broken(self, text: str) -> str:
        """The text with every control token in it turned into plain text."""
        before = ""
        # Breaking one can reveal another that contained it.
        while text != before:
            before, text = text, self._found.sub(_apart, text)
        return text


def _apart(found: re.Match[str]) -> str:
    token = found.group()
    # A token that contains a space could leave another one intact.
    whole = len(token) > 1 and not any(map(str.isspace, token))
    return f"{token[0]} {token[1:]}" if whole else " "


def _known(processor: Any) -> set[str]:
    """All strings that a processor or its tokenizers do not treat as text."""
    tokens: set[str] = set()
    parts = [processor, *(part for part in vars(processor).values() if _is_tokenizer(part))]
    for part in parts:
        if _is_tokenizer(part):
            tokens.update(_added(part))
        # `image_token`, `boi_token` and similar need not be in the vocabulary.
        named = [value for name, value in vars(part).items() if name.endswith("_token")]
        # A setting such as `add_bos_token` is not a token.
        tokens.update(str(value) for value in named if not isinstance(value, bool | None))
    return {token for token in tokens if token and not token.isspace()}


def _is_tokenizer(part: Any) -> bool:
    return hasattr(part, "get_added_vocab")


def _added(tokenizer: Any) -> Iterator[str]:
    yield from map(str, tokenizer.all_special_tokens)
    for token in tokenizer.added_tokens_decoder.values():
        # Ordinary words that were added to a vocabulary remain words.
        if token.special or not token.content.replace(" ", "").isalnum():
            yield token.content
