"""How a model's next token is chosen, and how probable what was chosen is.

Drawing goes by Gumbel's trick: the largest of the scores with noise added is a draw from their
softmax (Gumbel, 1954; Maddison et al., "A* Sampling", 2014). The noise is a hash of the seed, the
query, the step and the token, so that a text depends neither on what else is in its batch nor on
who else draws: `generate` itself goes on taking the largest.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

MASK = 0xFFFFFFFF


@dataclass(frozen=True)
class Choosing:
    """How tokens are chosen."""

    temperature: float = 0.0
    """Scores are divided by it; 0 always takes the likeliest token."""
    top_p: float = 1.0
    """Only the fewest tokens whose probabilities add up to this can be drawn."""
    seed: int = 0


class Chooser:
    """A logits processor of one call of `generate` without beams, which notes probabilities.

    One step's scores are held until it is known which token was taken: all steps of a long answer
    (`output_scores`) would be gigabytes.
    """

    def __init__(self, choosing: Choosing, queries: Sequence[int]) -> None:
        """Begin.

        Args:
            choosing: How.
            queries: The number of each row's query: its part in the noise.
        """
        self._choosing = choosing
        self._queries = queries
        self._step = 0
        self._held: Any = None
        self._taken: list[Any] = []

    def __call__(self, input_ids: Any, scores: Any) -> Any:
        """Note the last token's probability, and prepare the choice of the next.

        Args:
            input_ids: Of shape (rows, tokens so far).
            scores: Of shape (rows, vocabulary).
        """
        import torch

        if self._held is not None:
            self._taken.append(self._held.gather(1, input_ids[:, -1:]))
        self._held = torch.log_softmax(scores.float(), dim=-1)
        chosen_by = scores
        if self._choosing.temperature > 0:
            warped = top(self._held / self._choosing.temperature, self._choosing.top_p)
            chosen_by = warped + self._noise(scores)
        self._step += 1
        return chosen_by

    def log_probabilities(self, written: Any, counts: Sequence[int]) -> list[tuple[float, ...]]:
        """The logarithm of each token's probability, at temperature 1, for each row.

        Args:
            written: All that was written, of shape (rows, steps).
            counts: How many tokens of each row count.
        """
        import torch

        if self._held is not None and len(self._taken) < written.shape[1]:
            self._taken.append(self._held.gather(1, written[:, -1:]))
        if not self._taken:
            return [() for _ in counts]
        rows = torch.cat(self._taken, dim=1).tolist()
        return [tuple(row[:count]) for row, count in zip(rows, counts, strict=True)]

    def _noise(self, scores: Any) -> Any:
        """Gumbel noise of the shape of the scores."""
        import torch

        words = [_words(self._choosing.seed, query, self._step) for query in self._queries]
        states = torch.tensor(words, device=scores.device)
        tokens = torch.arange(scores.shape[-1], device=scores.device)
        mixed = _mixed(_mixed(tokens[None] ^ states[:, :1]) ^ states[:, 1:])
        # Never 0 and never 1, of which there is no logarithm.
        uniform = (mixed.double() + 0.5) / 2**32
        return -torch.log(-torch.log(uniform)).float()


def top(scores: Any, top_p: float) -> Any:
    """Scores with those ruled out that are not among the fewest that add up to a probability.

    The likeliest token always stays (Holtzman et al., "The Curious Case of Neural Text
    Degeneration", 2020).

    Args:
        scores: Of shape (rows, vocabulary).
        top_p: The probability.
    """
    if top_p >= 1:
        return scores
    ordered, places = scores.sort(dim=-1, descending=True, stable=True)
    before = ordered.softmax(dim=-1).cumsum(dim=-1) - ordered.softmax(dim=-1)
    out = (before >= top_p).scatter(-1, places, before >= top_p)
    return scores.masked_fill(out, float("-inf"))


def _words(seed: int, query: int, step: int) -> list[int]:
    """Two words of 32 bits that stand for one step of one query."""
    digest = hashlib.blake2b(f"{seed} {query} {step}".encode(), digest_size=8).digest()
    return [int.from_bytes(digest[:4], "big"), int.from_bytes(digest[4:], "big")]


def _mixed(words: Any) -> Any:
    """Words of 32 bits, in a tensor of 64, mixed so that each bit depends on all.

    The constants are those of C. Wellons's search for hash functions of low bias
    (github.com/skeeto/hash-prospector, "lowbias32").
    """
    words = words ^ (words >> 16)
    words = (words * 0x21F0AAAD) & MASK
    words = words ^ (words >> 15)
    words = (words * 0xD35A2D97) & MASK
    return words ^ (words >> 15)
