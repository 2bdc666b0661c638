"""Prompts that have room in a model's context: what base processing found gives way to the rest.

Never the pictures, never the question. Knows no family and no tokenizer: it is given a way to
count.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from kairos_lib.vlm.adapter import Request

SHORTEST_LINE_CHARS = 16
"""A line that is cut to fewer tells a model nothing: it is left out whole."""
CUT = " ..."
NO_LIMIT_TOKENS = 10**9
"""What a tokenizer that knows no length says is larger (transformers: `VERY_LARGE_INTEGER`)."""


def context_tokens(config: Any, tokenizer: Any) -> int | None:
    """The most tokens that a model reads and writes of one request; none where that is not known.

    By the positions it was made for. Where they are stretched (transformers' `rope_parameters`),
    the length before goes by the factor, as in Peng et al., "YaRN", 2023; some configurations give
    the length after as well, and the greater holds. A tokenizer's own length counts only where the
    configuration is silent.

    Args:
        config: Of the whole model.
        tokenizer: Its own.
    """
    text = config.get_text_config()
    if getattr(text, "is_encoder_decoder", False):
        return None  # What it reads and what it writes are counted apart.
    longest = getattr(text, "max_position_embeddings", None)
    if not isinstance(longest, int) or longest < 1:
        own = getattr(tokenizer, "model_max_length", None)
        return own if isinstance(own, int) and 0 < own < NO_LIMIT_TOKENS else None
    rope = getattr(text, "rope_parameters", None) or getattr(text, "rope_scaling", None) or {}
    factor, before = rope.get("factor"), rope.get("original_max_position_embeddings")
    if not isinstance(factor, int | float):
        return longest
    return max(longest, int((before or longest) * factor))


def shortened(request: Request, over: int, count: Callable[[str], int]) -> Request | None:
    """A request whose context takes fewer tokens, the longest of its lines cut first.

    Args:
        request: What has no room.
        over: Tokens too many.
        count: The tokens of a text.

    Returns:
        The same request with less context; none where it has no context that could give way.
    """
    lines = request.context.splitlines()
    if not lines:
        return None
    room = count("\n".join(lines)) - over

    def kept(width: int) -> str:
        return "".join(f"{line}\n" for line in _cut(lines, width))

    # The widest lines that have room, between none at all and one character less than now.
    narrow, wide = 0, max(map(len, lines)) - 1
    while narrow < wide:
        middle = (narrow + wide + 1) // 2
        if count(kept(middle)) <= room:
            narrow = middle
        else:
            wide = middle - 1
    return replace(request, prompt=kept(narrow) + request.question)


def _cut(lines: list[str], width: int) -> list[str]:
    """Lines of at most so many characters, the mark of a cut included."""
    found = []
    for line in lines:
        if len(line) <= width:
            found.append(line)
        elif width >= SHORTEST_LINE_CHARS:
            found.append(line[: width - len(CUT)].rstrip(" .") + CUT)
    return found
