"""How captions are worded: their length, their vocabulary, how much they repeat themselves.

Says nothing of whether they are right.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

from kairos_lib.quality.wording import words as words_of
from kairos_lib.vlm.records import Caption


@dataclass(frozen=True)
class Wording:
    """The captions of one video, all together."""

    captions: int
    """Without those that failed."""
    words: int
    distinct_words: int
    triples: int
    """Three words in a row, within a caption."""
    repeated_triples: int
    """Those of them that had been written before, in that caption or an earlier one."""
    truncated: int
    """Captions that the limit on new tokens cut off."""

    @property
    def words_per_caption(self) -> float | None:
        """Mean."""
        return self.words / self.captions if self.captions else None

    @property
    def repetition(self) -> float | None:
        """Share of three words in a row that had been written before."""
        return self.repeated_triples / self.triples if self.triples else None


def wording(captions: Iterable[Caption]) -> Wording:
    """Count a video's captions, one after another: they may be streamed."""
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
            # Hashes, for a long video has a million of them.
            triple = hash((first, second, third))
            triples += 1
            repeated += triple in seen
            seen.add(triple)
    return Wording(count, words, len(vocabulary), triples, repeated, truncated)
