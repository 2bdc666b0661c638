"""Word error rate: how far what was heard is from what was said. Knows no audio."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class WordErrors:
    """Counts over any number of sentences; they add up."""

    substitutions: int = 0
    insertions: int = 0
    """Words that were heard and not said."""
    deletions: int = 0
    """Words that were said and not heard."""
    words: int = 0
    """Words that were said."""

    def __add__(self, other: WordErrors) -> WordErrors:
        """The counts of both."""
        return WordErrors(
            self.substitutions + other.substitutions,
            self.insertions + other.insertions,
            self.deletions + other.deletions,
            self.words + other.words,
        )

    @property
    def count(self) -> int:
        """All errors."""
        return self.substitutions + self.insertions + self.deletions

    @property
    def rate(self) -> float:
        """Errors for each word said; above 1 where much was invented, infinite over silence."""
        if not self.words:
            return float("inf") if self.count else 0.0
        return self.count / self.words


def word_errors(said: str, heard: str, exact: bool = False) -> WordErrors:
    """Count the fewest errors that make of one text the other (Levenshtein, over words).

    Args:
        said: What is right.
        heard: What was made of it.
        exact: Whether capitals and punctuation count.
    """
    right, got = (text.split() if exact else _words(text) for text in (said, heard))
    # best[j]: the errors from the words said so far to the first j words heard.
    best = [WordErrors(insertions=j) for j in range(len(got) + 1)]
    for i, word in enumerate(right, start=1):
        before, best = best, [WordErrors(deletions=i)]
        for j, other in enumerate(got, start=1):
            best.append(
                min(
                    before[j - 1] + WordErrors(substitutions=int(word != other)),
                    before[j] + WordErrors(deletions=1),
                    best[j - 1] + WordErrors(insertions=1),
                    key=lambda errors: errors.count,
                )
            )
    return best[-1] + WordErrors(words=len(right))


def _words(text: str) -> list[str]:
    return re.findall(r"[\w']+", text.lower())
