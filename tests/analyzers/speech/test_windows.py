"""Stretches of voice joined into windows, without a model."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kairos_lib.analyzers.speech.windows import SHORTEST_S, Window, chains, window
from kairos_lib.analyzers.vad import Span

LONGEST_S, PAUSE_S = 30.0, 3.0
# A known speech (`jfk.flac` of whisper's tests), as Silero parts it.
KNOWN = [(0.12, 2.44), (3.13, 4.55), (5.24, 7.82), (8.02, 11.0)]


def spans(*edges: tuple[float, float]) -> list[Span]:
    return [Span(start_s=start_s, end_s=end_s) for start_s, end_s in edges]


def heard(voice: list[Span], pause_s: float = PAUSE_S) -> list[Window]:
    """All windows, where each is told to its end."""
    found: list[Window] = []
    for chain in chains(voice, LONGEST_S, pause_s):
        at_s = chain[0].start_s
        while (next_window := window(chain, at_s, LONGEST_S)) is not None:
            found.append(next_window)
            at_s = next_window.end_s
    return found


def edges(windows: list[Window]) -> list[tuple[float, float]]:
    return [(w.start_s, w.end_s) for w in windows]


def test_a_sentence_with_pauses_in_it_is_one_window() -> None:
    assert edges(heard(spans(*KNOWN))) == [(0.12, 11.0)]
    assert edges(heard(spans(*KNOWN), pause_s=0)) == KNOWN


def test_a_long_pause_and_a_full_window_part_windows() -> None:
    assert edges(heard(spans((0, 5), (8.1, 9), (9.5, 12)))) == [(0, 5), (8.1, 12)]
    assert edges(heard(spans((0, 14), (15, 29), (29.5, 31), (32, 33)))) == [(0, 29), (29.5, 33)]


def test_the_rest_of_a_long_stretch_is_heard_with_what_follows() -> None:
    assert edges(heard(spans((0, 32), (33, 35), (36, 38)))) == [(0, 30), (30, 38)]


def test_a_time_in_a_pause_is_moved_to_the_voice() -> None:
    (joined,) = heard(spans(*KNOWN))
    # The end of a pause for its beginning, the beginning for its end.
    assert joined.trimmed(2.9, 8.0) == (3.13, 7.82)
    # As a Whisper told these two sentences; the second begins after the pause.
    assert joined.trimmed(0.12, 7.72) == (0.12, 7.72)
    assert joined.trimmed(7.72, 10.72) == (8.02, 10.72)
    # Nothing that was told is lost, wherever it is said to be.
    assert joined.trimmed(2.5, 3.0) == (2.5, 3.0)


@settings(derandomize=True, deadline=None, max_examples=200)
@given(
    st.lists(st.tuples(st.floats(0.02, 8.0), st.floats(0.2, 70.0)), min_size=1, max_size=12),
    st.sampled_from([0.0, 0.4, PAUSE_S]),
)
def test_all_voice_is_heard_once_in_few_short_windows(
    parts: list[tuple[float, float]], pause_s: float
) -> None:
    at_s, voice = 0.0, []
    for silence_s, length_s in parts:
        voice += spans((at_s + silence_s, at_s + silence_s + length_s))
        at_s += silence_s + length_s
    windows = heard(voice, pause_s)
    assert edges(windows) == sorted(edges(windows))
    for one, other in itertools.pairwise(windows):
        assert one.end_s <= other.start_s
        # Two in a row are two for a reason.
        pause = other.start_s - one.end_s
        assert (
            pause > pause_s
            or pause_s == 0
            or other.end_s - one.start_s > LONGEST_S
            or other.spans[0].end_s - one.start_s > LONGEST_S
        )
    for w in windows:
        assert w.end_s - w.start_s <= LONGEST_S + 1e-9
        for one, other in itertools.pairwise(w.spans):
            assert other.start_s - one.end_s <= pause_s
        start_s, end_s = w.trimmed(w.start_s - 1, w.end_s + 1)
        assert (start_s, end_s) == (w.start_s, w.end_s)
    for span in voice:
        parts_s = [min(w.end_s, span.end_s) - max(w.start_s, span.start_s) for w in windows]
        told_s = sum(part_s for part_s in parts_s if part_s > 0)
        assert told_s == pytest.approx(span.end_s - span.start_s, abs=SHORTEST_S + 1e-6)
