"""Makes prompts fit into a model's context by cutting what base processing found.

Pictures and the question are never cut. Knows no family and no tokenizer: it is given a function
that counts tokens.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from kairos_lib.vlm.adapter import Request

SHORTEST_LINE_CHARS = 16
"""A line cut to fewer characters says nothing: it is left out entirely."""
CUT = " ..."
NO_LIMIT_TOKENS = 10**9
"""Tokenizers without a known length report more than this (`VERY_LARGE_INTEGER`)."""


def context_tokens(config: Any, tokenizer: Any) -> int | None:
    """The maximum number of tokens read and written for one request; None if unknown.

    Based on the positions that the model was made for. If they are stretched (transformers'
    `rope_parameters`), the original length is multiplied by the factor, as in Peng et al., "YaRN",
    2023; some configurations also give the resulting length, and the larger one is used. A
    tokenizer's own length counts only if the configuration gives none.

    Args:
        config: Of the whole model.
        tokenizer: The model's tokenizer.
    """
    text = config.get_text_config()
    if getattr(text, "is_encoder_decoder", False):
        return None  # Its input and output are counted separately.
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
    """A request with fewer context tokens; the longest of its lines are cut first.

    Args:
        request: The request that does not fit.
        over: Number of excess tokens.
        count: Counts the tokens of a text.

    Returns:
        The same request with less context; None if it has no context left to cut.
    """
    lines = request.context.splitlines()
    if not lines:
        return None
    room = count("\n".join(lines)) - over

    def kept(width: int) -> str:
        return "".join(f"{line}\n" for line in _cut(lines, width))

    # The widest lines that fit, between none at all and one character less than now.
    narrow, wide = 0, max(map(len, lines)) - 1
    while narrow < wide:
        middle = (narrow + wide + 1) // 2
        if count(kept(middle)) <= room:
            narrow = middle
        else:
            wide = middle - 1
    return replace(request, prompt=kept(narrow) + request.question)


def _cut(lines: list[str], width: int) -> list[str]:
    """Lines of at most `width` characters, the mark of a cut included."""
    found = []
    for line in lines:
        if len(line) <= width:
            found.append(line)
        elif width >= SHORTEST_LINE_CHARS:
            found.append(line[: width - len(CUT)].rstrip(" .") + CUT)
    return found
