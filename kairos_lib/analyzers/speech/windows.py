"""Windows: stretches of voice joined into what a model of speech hears at once.

A stretch alone is often a piece of a sentence, and a model that hears no more ends it with a full
stop and begins the next with a capital. WhisperX merges the stretches of its detector up to the
model's window (Bain et al., WhisperX: Time-Accurate Speech Transcription of Long-Form Audio, 2023,
"Cut & Merge"), and so does faster-whisper's batched pipeline. As in WhisperX the pauses between
them are kept as they are, so that a time in a window is a time in the film; but a long pause parts
windows, since it parts sentences too, and what is heard in it is music and noise.

Knows no model.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from kairos_lib.analyzers.vad import Span

PAUSE_S = 3.0
"""Longest pause within a window where neither profile nor weights say otherwise. Whisper base heard
one of 3.4 s, put into a known speech, without a fault, and repeated a word after one of 4.3 s."""
EDGE_S = 0.3
"""A model's times are off by as much where it hears much at once: so near the end of a stretch no
sentence begins, and so near the beginning of one none ends."""
SHORTEST_S = 0.1
"""What is left of a stretch and shorter than this holds no word."""


@dataclass(frozen=True)
class Window:
    """What is heard at once; it begins and ends with a voice."""

    start_s: float
    end_s: float
    spans: tuple[Span, ...]
    """The stretches in it, in order; the first and the last can lie in it in part."""

    def trimmed(self, start_s: float, end_s: float) -> tuple[float, float]:
        """Times of what was said in it, in the film's time, without the pauses they reach into.

        A model sets its times by what it hears, and often at one end of a pause instead of the
        other. Times that lie about one pause altogether stay as they are.
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


def _edge_s(span: Span) -> float:
    """No more than half of a short stretch."""
    return min(EDGE_S, (span.end_s - span.start_s) / 2)


def chains(spans: Sequence[Span], longest_s: float, pause_s: float) -> list[tuple[Span, ...]]:
    """Join stretches that are heard one after another, in as few windows as hold them.

    A chain is a window of several stretches, or a stretch that is longer than a window and what
    goes into its last window with it. Chains do not depend on one another.

    Args:
        spans: Where there is a voice, in order.
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
    """The next window of a chain: whole stretches if it can be, else the beginning of one.

    Args:
        chain: Stretches of voice, in order.
        from_s: Where what has not been heard yet begins.
        longest_s: Length of a window.

    Returns:
        None where there is nothing left to hear.
    """
    left = [span for span in chain if span.end_s - from_s > SHORTEST_S]
    if not left:
        return None
    start_s = max(from_s, left[0].start_s)
    whole = [span for span in left if span.end_s <= start_s + longest_s]
    end_s = whole[-1].end_s if whole else start_s + longest_s
    return Window(start_s, end_s, tuple(whole or left[:1]))
