import itertools
import random
from pathlib import Path

import av
import numpy as np
import pytest
from helpers.recordings import bursts, write_recording

from kairos_lib.analyzers.speech.chunks import Chunk, Recording, cut, halves
from kairos_lib.analyzers.vad import Span
from kairos_lib.media import audio

QUARTER_S = 15 * 60.0


def spans(*edges: tuple[float, float]) -> list[Span]:
    return [Span(start_s=start_s, end_s=end_s) for start_s, end_s in edges]


def dense(length_s: float, seed: int = 0) -> list[Span]:
    """Talk with pauses, as people talk."""
    rng = random.Random(seed)
    found, at_s = [], 0.5
    while at_s < length_s - 12:
        end_s = at_s + rng.uniform(0.5, 9.0)
        found.append(Span(start_s=at_s, end_s=end_s))
        at_s = end_s + rng.uniform(0.2, 2.5)
    return found


@pytest.mark.parametrize(
    ("minutes", "chunks"),
    [(0.5, 1), (15, 1), (15.01, 2), (30, 2), (31, 3), (120, 8), (120.0008, 8), (300, 20)],
)
def test_a_video_is_cut_into_a_chunk_for_each_quarter_of_an_hour(minutes: float, chunks: int):
    assert len(cut(dense(minutes * 60), minutes * 60)) == chunks


@pytest.mark.parametrize("seed", range(5))
def test_cuts_lie_in_silence_and_lose_no_speech(seed: int):
    talk = dense(7200, seed)
    chunks = cut(talk, 7200)
    assert [span for chunk in chunks for span in chunk.spans] == talk


def test_the_cut_is_at_the_silence_nearest_the_even_place():
    talk = spans((10, 700), (702, 880), (884, 1290), (1293, 1790))
    first, second = cut(talk, 1800)
    assert first.end_s == 880
    assert second.start_s == 884


def test_speech_without_a_pause_is_cut_at_the_even_place():
    first, second = cut(spans((0, 1800)), 1800)
    assert (first.end_s, second.start_s) == (900, 900)


def test_a_silence_far_away_does_not_make_one_chunk_much_longer_than_another():
    first, second = cut(spans((0, 200), (210, 1800)), 1800)
    assert (first.end_s, second.start_s) == (900, 900)


def test_a_chunk_without_speech_is_not_there_and_others_are_trimmed_to_it():
    chunks = cut(spans((100, 110), (120, 130), (2000, 2010)), 4 * QUARTER_S)
    assert [(c.start_s, c.end_s) for c in chunks] == [(100, 130), (2000, 2010)]
    assert cut([], 100) == []


def test_a_chunk_is_halved_at_the_silence_nearest_its_middle():
    first, second = halves(Chunk(tuple(spans((0, 40), (41, 58), (60, 100)))))
    assert (first.end_s, second.start_s) == (41 + 17, 60)


def test_what_is_uploaded_holds_the_very_samples(tmp_path: Path):
    talk = spans((61.3, 64.0), (200.0, 201.5))
    wav = write_recording(tmp_path / "talk.wav", talk, 300)
    flac = Recording(wav, Chunk(tuple(talk))).flac()
    assert flac is not None
    (tmp_path / "talk.flac").write_bytes(flac)
    with av.open(str(tmp_path / "talk.flac")) as container:
        pieces = [frame.to_ndarray().reshape(-1) for frame in container.decode(audio=0)]
    sent = np.concatenate(pieces).astype(np.float32) / 32768
    np.testing.assert_array_equal(sent, audio.read(wav, 61.3, 201.5))


def test_the_same_samples_have_the_same_hash_wherever_they_lie(tmp_path: Path):
    early, late = spans((5, 8)), spans((65, 68))
    one = write_recording(tmp_path / "one.wav", early, 100)
    other = write_recording(tmp_path / "other.wav", late, 100)
    hashes = [Recording(one, Chunk(tuple(early))), Recording(other, Chunk(tuple(late)))]
    assert hashes[0].sha256() == hashes[1].sha256()
    assert hashes[0].sha256() != Recording(one, Chunk(tuple(spans((5, 8.1))))).sha256()


def test_a_file_over_the_upload_limit_is_not_made(tmp_path: Path):
    (span,) = bursts(1, 40, length_s=20)
    wav = write_recording(tmp_path / "talk.wav", [span], 40)
    recording = Recording(wav, Chunk((span,)))
    whole = recording.flac()
    assert whole is not None
    assert recording.flac(limit_bytes=len(whole)) == whole
    assert recording.flac(limit_bytes=len(whole) - 1) is None


def test_a_word_too_short_to_be_taken_is_sent_with_what_is_around_it(tmp_path: Path):
    wav = write_recording(tmp_path / "talk.wav", spans((4, 5)), 5)
    for chunk in (Chunk(tuple(spans((2, 2.01)))), Chunk(tuple(spans((4.97, 5.0))))):
        recording = Recording(wav, chunk)
        assert recording.end_s - recording.start_s == pytest.approx(0.1)
        assert recording.start_s <= chunk.start_s
        assert recording.end_s >= chunk.end_s


def test_chunks_do_not_overlap():
    for before, after in itertools.pairwise(cut(spans((0, 18000)), 18000)):
        assert before.end_s == after.start_s
