"""How a caption is worded: its words, and how much is repeated. Knows no models."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Sequence

_WORD = re.compile(r"[^\W_]+")
REPEATED_WORDS = 4
"""Length of the word runs whose repetition is counted. Shorter ones, such as "on the left", are
repeated in good prose; 4 is what Welleck et al. (2020) report."""


def words(text: str) -> list[str]:
    """A text's words in lower case, without punctuation.

    On ASCII they are the words that rouge-score sees. A script without spaces gives one word for
    each piece between punctuation marks.
    """
    # Interned: the captions of a film use a few thousand words again and again.
    return [sys.intern(word) for word in _WORD.findall(text.lower())]


def repeated(said: Sequence[str], length: int = REPEATED_WORDS) -> float | None:
    """Share of a caption's word runs that occurred before in it: 0 if none did.

    1 - distinct n-grams / n-grams, "seq-rep-n" of Welleck et al., Neural Text Generation with
    Unlikelihood Training, ICLR 2020.

    Returns:
        None if the caption has fewer words than a run.
    """
    runs = [tuple(said[first : first + length]) for first in range(len(said) - length + 1)]
    return 1 - len(set(runs)) / len(runs) if runs else None


def distinct(captions: Iterable[Sequence[str]], length: int = 2) -> float | None:
    """Distinct n-grams by n-grams over all captions together: "distinct-n".

    Li et al., A Diversity-Promoting Objective Function for Neural Conversation Models, NAACL 2016.
    It falls as texts get more and longer, so compare it only over the same scenes.

    Returns:
        None if no caption has an n-gram.
    """
    seen: set[tuple[str, ...]] = set()
    total = 0
    for said in captions:
        for first in range(len(said) - length + 1):
            seen.add(tuple(said[first : first + length]))
            total += 1
    return len(seen) / total if total else None
