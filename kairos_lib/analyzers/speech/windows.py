"""Windows: parts with voice joined into what a speech model hears at once.

A single part is often a piece of a sentence, and a model that hears no more ends it with a full
stop and begins the next with a capital. WhisperX merges the parts found by its detector up to the
model's window (Bain et al., WhisperX: Time-Accurate Speech Transcription of Long-Form Audio, 2023,
"Cut & Merge"), and so does faster-whisper's batched pipeline. As in WhisperX, pauses between parts
are kept unchanged, so that times in a window map directly to the film; but a long pause separates
windows, since it separates sentences too, and contains music and noise.

Knows no model.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from kairos_lib.analyzers.vad import Span

PAUSE_S = 3.0
"""Longest pause within a window if neither profile nor weights give one. Whisper base handled one
of 3.4 s in known speech without a fault, and repeated a word after one of 4.3 s."""
EDGE_S = 0.3
"""Error of a model's times when it hears much at once: no sentence begins this near the end of a
part, and none ends this near its beginning."""
SHORTEST_S = 0.1
"""A shorter rest of a part contains no word."""


@dataclass(frozen=True)
class Window:
    """What is heard at once; begins and ends with voice."""

    start_s: float
    end_s: float
    spans: tuple[Span, ...]
    """Its parts with voice, in order; the first and the last may be incomplete."""

    def trimmed(self, start_s: float, end_s: float) -> tuple[float, float]:
        """Times of a text in the window, converted to the film and cut off at pauses.

        A model sets its times by what it hears, and often at the wrong end of a pause. Times that
        lie entirely within a pause stay unchanged.
        """
        start_s, end_s = max(start_s, self.start_s), min(end_s, self.end_s)
        first_s = next(
            (max(start_s, s.start_s) for s in self.spans if s.end_s - _edge_s(s) > start_s),
            start_s,
        )
        last_s = next(
            (min(end_s, s.end_s) for s in reversed(self.spans) if s.start_s + _edge_s(s) < end_s),
            end_s,
        )
        return (first_s, last_s) if first_s < last_s else (start_s, end_s)

    def of_word(self, start_s: float, end_s: float) -> tuple[float, float]:
        """Times of a word in the window, in the one part with voice that most of it is in.

        A model counts a pause as part of the word before it or after it. A word outside of all
        parts keeps its times, within the window.
        """
        start_s = min(max(start_s, self.start_s), self.end_s)
        end_s = min(max(end_s, start_s), self.end_s)
        pieces = [(max(start_s, one.start_s), min(end_s, one.end_s)) for one in self.spans]
        longest = max(pieces, key=lambda piece: piece[1] - piece[0])
        return longest if longest[0] < longest[1] else (start_s, end_s)


def _edge_s(span: Span) -> float:
    """At most half of a short part."""
    return min(EDGE_S, (span.end_s - span.start_s) / 2)


def chains(spans: Sequence[Span], longest_s: float, pause_s: float) -> list[tuple[Span, ...]]:
    """Join parts that are heard one after another, in as few windows as hold them.

    A chain is a window of several parts, or a part that is longer than a window together with what
    fits into its last window. Chains do not depend on one another.

    Args:
        spans: Parts with voice, in order.
        longest_s: Length of a window.
        pause_s: Longest pause to join over.
    """
    joined: list[list[Span]] = []
    for span in spans:
        if joined:
            chain = joined[-1]
            windows = math.ceil((chain[-1].end_s - chain[0].start_s) / longest_s)
            fits = span.end_s - chain[0].start_s <= windows * longest_s
            if fits and span.start_s - chain[-1].end_s <= pause_s > 0:
                chain.append(span)
                continue
        joined.append([span])
    return [tuple(chain) for chain in joined]


def window(chain: Sequence[Span], from_s: float, longest_s: float) -> Window | None:
    """The next window of a chain: whole parts if possible, else the beginning of one.

    Args:
        chain: Parts with voice, in order.
        from_s: Start of what has not been heard yet.
        longest_s: Length of a window.

    Returns:
        None if there is nothing left to hear.
    """
    left = [span for span in chain if span.end_s - from_s > SHORTEST_S]
    if not left:
        return None
    start_s = max(from_s, left[0].start_s)
    whole = [span for span in left if span.end_s <= start_s + longest_s]
    end_s = whole[-1].end_s if whole else start_s + longest_s
    return Window(start_s, end_s, tuple(whole or left[:1]))
