"""The engine against an adapter that keeps a record of what it was asked."""

import threading
import time
from collections.abc import Collection
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kairos_lib.errors import KairosError
from kairos_lib.vlm.adapter import (
    Adapter,
    Generated,
    OutOfMemoryError,
    Prepared,
    Request,
    SceneError,
)
from kairos_lib.vlm.engine import Engine
from kairos_lib.vlm.query import Answer, Query

SCENES = [Query(n, float(n), n + 1.0, (float(n), n + 0.5), f"about {n}") for n in range(12)]


class RecordingAdapter(Adapter):
    """Holds `room` scenes at once; scenes in `impossible` fit nowhere, the others are refused."""

    version = 1

    def __init__(
        self,
        room: int = 99,
        impossible: tuple[int, ...] = (),
        unprepared: Collection[int] = (),
        ungenerated: Collection[int] = (),
        error: Exception | None = None,
    ) -> None:
        self.room = room
        self.impossible = impossible
        self.unprepared = unprepared
        self.ungenerated = ungenerated
        self.error = error or SceneError("256:1")
        self.tried: list[list[int]] = []
        self.prepared_in: set[str] = set()

    def load(self) -> None:
        pass

    def prepare(self, requests: list[Request]) -> Prepared:
        self.prepared_in.add(threading.current_thread().name)
        size = len(requests)
        if {request.number for request in requests} & {*self.unprepared}:
            raise self.error
        return Prepared([r.number for r in requests], (10,) * size, (4,) * size)

    def generate(self, prepared: Prepared, max_new_tokens: int | None = None) -> Generated:
        scenes: list[int] = prepared.inputs
        self.tried.append(scenes)
        if set(scenes) & {*self.ungenerated}:
            raise self.error
        if len(scenes) > self.room or set(scenes) & set(self.impossible):
            raise OutOfMemoryError("no room")
        time.sleep(0.002)
        size = len(scenes)
        texts = tuple(f"scene {n}" for n in scenes)
        return Generated(texts, (3,) * size, (False,) * size, 0.0005, 0.0015)


def engine(adapter: Adapter, clip: Path) -> Engine:
    return Engine(adapter, clip, longest_px=336)


def offline(adapter: RecordingAdapter, clip: Path, size: int, limit: int) -> list[list[Answer]]:
    batches = [SCENES[i : i + size] for i in range(0, len(SCENES), size)]
    return [batch.answers for batch in engine(adapter, clip).offline(batches, limit)]


def test_every_scene_is_captioned_once_and_in_order(clip: Path) -> None:
    adapter = RecordingAdapter()
    done = offline(adapter, clip, size=5, limit=5)
    assert [c.number for batch in done for c in batch] == list(range(12))
    assert [len(batch) for batch in done] == [5, 5, 2]
    assert [c.text for batch in done for c in batch] == [f"scene {n}" for n in range(12)]


@pytest.mark.parametrize("room", [1, 2, 3, 5, 7, 8])
def test_a_batch_that_does_not_fit_is_halved_and_nothing_is_lost(clip: Path, room: int) -> None:
    adapter = RecordingAdapter(room)
    done = offline(adapter, clip, size=8, limit=8)
    assert [c.number for batch in done for c in batch] == list(range(12))
    assert max(c.batch_size for batch in done for c in batch) <= room


def test_a_size_that_failed_is_not_tried_again(clip: Path) -> None:
    adapter = RecordingAdapter(room=2)
    offline(adapter, clip, size=4, limit=4)
    assert [len(scenes) for scenes in adapter.tried] == [4, 2, 2, 2, 2, 2, 2]


def test_a_scene_that_does_not_fit_alone_fails_alone(clip: Path) -> None:
    adapter = RecordingAdapter(impossible=(5,))
    captions = [c for batch in offline(adapter, clip, size=4, limit=4) for c in batch]
    assert [c.number for c in captions] == list(range(12))
    failed = [c for c in captions if c.error]
    assert [(c.number, c.text) for c in failed] == [(5, "")]
    assert "no room" in failed[0].error


def test_the_next_batch_is_prepared_beside_the_one_that_is_generated(clip: Path) -> None:
    adapter = RecordingAdapter()
    offline(adapter, clip, size=4, limit=4)
    assert threading.main_thread().name not in adapter.prepared_in


def test_the_parts_of_a_single_stream_scene_add_up_to_it(clip: Path) -> None:
    captions = list(engine(RecordingAdapter(), clip).single_stream(SCENES[::4]))
    assert [c.number for c in captions] == [0, 4, 8]
    for caption in captions:
        t = caption.timing
        parts_s = t.frames_s + t.preprocess_s + t.prefill_s + t.decode_s + t.other_s
        assert parts_s == pytest.approx(t.total_s)
        assert t.frames_s > 0
    assert captions[-1].elapsed_s >= sum(c.timing.total_s for c in captions) * 0.98


def test_time_spent_on_writing_results_down_is_not_the_models(clip: Path) -> None:
    captions = []
    for caption in engine(RecordingAdapter(), clip).single_stream(SCENES[:3]):
        time.sleep(1.0)
        captions.append(caption)
    assert captions[-1].elapsed_s < 2.0


def test_a_single_stream_scene_that_does_not_fit_is_recorded_as_failed(clip: Path) -> None:
    captions = list(engine(RecordingAdapter(impossible=(4,)), clip).single_stream(SCENES[::4]))
    assert [bool(c.error) for c in captions] == [False, True, False]


SOME = st.sets(st.integers(0, 11), max_size=5)


@settings(derandomize=True, deadline=None, max_examples=12)
@given(unprepared=SOME, ungenerated=SOME, size=st.integers(1, 12), room=st.integers(1, 12))
def test_a_scene_that_is_refused_fails_alone(
    clip: Path, unprepared: set[int], ungenerated: set[int], size: int, room: int
) -> None:
    adapter = RecordingAdapter(room, unprepared=unprepared, ungenerated=ungenerated)
    bad = unprepared | ungenerated
    model = engine(adapter, clip)
    # The first that goes through is warmed up with, whichever it is.
    model.warm_up(SCENES)
    assert adapter.tried[-1] == [min({*range(12)} - bad)]
    alone = list(model.single_stream(SCENES))
    adapter.tried.clear()
    batches = offline(adapter, clip, size, limit=size)
    together = [caption for batch in batches for caption in batch]
    for captions in (alone, together):
        assert [c.number for c in captions] == list(range(12))
        assert {c.number for c in captions if c.error} == bad
        assert {c.error for c in captions if c.error} <= {"256:1"}
        assert all(c.text == f"scene {c.number}" for c in captions if not c.error)
    if room >= size:
        # As they were given, so that a run that goes on forms them again.
        assert [batch[0].number for batch in batches] == [*range(0, 12, size)]


def test_the_others_of_a_refused_scenes_batch_are_captioned_together(clip: Path) -> None:
    adapter = RecordingAdapter(unprepared={0})
    offline(adapter, clip, size=12, limit=12)
    assert [len(scenes) for scenes in adapter.tried] == [1, 1, 3, 6]


def test_a_model_that_refuses_every_scene_is_one_line(clip: Path) -> None:
    adapter = RecordingAdapter(unprepared=range(12))
    with pytest.raises(KairosError, match="no scene could be captioned: 256:1"):
        engine(adapter, clip).warm_up(SCENES)


@pytest.mark.parametrize("where", ["unprepared", "ungenerated"])
def test_a_mistake_in_a_program_is_no_scenes_error(clip: Path, where: str) -> None:
    adapter = RecordingAdapter(**{where: {5}}, error=TypeError("of ours"))
    with pytest.raises(TypeError, match="of ours"):
        list(engine(adapter, clip).single_stream(SCENES))
    with pytest.raises(TypeError, match="of ours"):
        offline(adapter, clip, size=4, limit=4)


def test_windows_that_overlap_are_answered_as_scenes_are(clip: Path) -> None:
    """The engine knows no scenes: a query is a stretch, the moments to look at, and a prompt."""
    windows = [
        Query(40 + n, n * 1.0, n * 1.0 + 4.0, tuple(n + 0.5 * i for i in range(8)), "Who scores?")
        for n in range(5)
    ]
    adapter = RecordingAdapter(room=2)
    batches = list(engine(adapter, clip).offline([windows[:3], windows[3:]], limit=3))
    answers = [answer for batch in batches for answer in batch.answers]
    assert [answer.number for answer in answers] == [40, 41, 42, 43, 44]
    assert [answer.text for answer in answers] == [f"scene {40 + n}" for n in range(5)]
    assert [len(answer.frame_times_s) for answer in answers] == [8] * 5
    assert [answer.frame_times_s[0] for answer in answers] == pytest.approx(range(5), abs=0.05)
    alone = list(engine(RecordingAdapter(), clip).single_stream(windows))
    assert [answer.frame_times_s for answer in alone] == [a.frame_times_s for a in answers]
