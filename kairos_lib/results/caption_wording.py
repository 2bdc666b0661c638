"""How captions are worded: length, vocabulary, repetition.

Says nothing about whether they are right.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

from kairos_lib.quality.wording import words as words_of
from kairos_lib.vlm.records import Caption


@dataclass(frozen=True)
class Wording:
    """Counts over all captions of one video."""

    captions: int
    """Without failed ones."""
    words: int
    distinct_words: int
    triples: int
    """Runs of three words within a caption."""
    repeated_triples: int
    """Those that occurred before, in the same caption or an earlier one."""
    truncated: int
    """Captions cut off by the limit on new tokens."""

    @property
    def words_per_caption(self) -> float | None:
        """Mean."""
        return self.words / self.captions if self.captions else None

    @property
    def repetition(self) -> float | None:
        """Share of three-word runs that occurred before."""
        return self.repeated_triples / self.triples if self.triples else None


def wording(captions: Iterable[Caption]) -> Wording:
    """Count a video's captions one by one; they may be streamed."""
    count = words = triples = repeated = truncated = 0
    vocabulary: set[str] = set()
    seen: set[int] = set()
    for caption in captions:
        if caption.error:
            continue
        count += 1
        truncated += caption.truncated
        said = words_of(caption.text)
        words += len(said)
        vocabulary.update(said)
        for (first, second), (_, third) in pairwise(pairwise(said)):
            # Hashes, because a long video has a million of these.
            triple = hash((first, second, third))
            triples += 1
            repeated += triple in seen
            seen.add(triple)
    return Wording(count, words, len(vocabulary), triples, repeated, truncated)
