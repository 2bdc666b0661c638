"""The engine against an adapter that keeps a record of what it was asked."""

import threading
import time
from pathlib import Path

import pytest
from helpers.projects import tiny_model

from kairos_lib.records import Caption, Scene
from kairos_lib.settings import Model
from kairos_lib.vlm.adapter import Adapter, Generated, OutOfMemoryError, Prepared, Request
from kairos_lib.vlm.engine import Engine

SCENES = [Scene(index=n, start_s=float(n), end_s=n + 1.0) for n in range(12)]


class RecordingAdapter(Adapter):
    """Holds `room` scenes at once; scenes in `impossible` fit nowhere."""

    version = 1

    def __init__(self, room: int = 99, impossible: tuple[int, ...] = ()) -> None:
        self.room = room
        self.impossible = impossible
        self.tried: list[list[int]] = []
        self.prepared_in: set[str] = set()

    def load(self) -> None:
        pass

    def prepare(self, requests: list[Request]) -> Prepared:
        self.prepared_in.add(threading.current_thread().name)
        size = len(requests)
        return Prepared([r.scene for r in requests], (10,) * size, (4,) * size)

    def generate(self, prepared: Prepared, max_new_tokens: int | None = None) -> Generated:
        scenes: list[int] = prepared.inputs
        self.tried.append(scenes)
        if len(scenes) > self.room or set(scenes) & set(self.impossible):
            raise OutOfMemoryError("no room")
        time.sleep(0.002)
        size = len(scenes)
        texts = tuple(f"scene {n}" for n in scenes)
        return Generated(texts, (3,) * size, (False,) * size, 0.0005, 0.0015)


def engine(adapter: Adapter, clip: Path) -> Engine:
    settings = Model.model_validate({**tiny_model(Path("w")), "name": "m"})
    return Engine(adapter, settings, clip, lambda scene: f"about {scene.index}", part="p")


def offline(adapter: RecordingAdapter, clip: Path, size: int, limit: int) -> list[list[Caption]]:
    batches = [SCENES[i : i + size] for i in range(0, len(SCENES), size)]
    return [batch.captions for batch in engine(adapter, clip).offline(batches, limit)]


def test_every_scene_is_captioned_once_and_in_order(clip: Path) -> None:
    adapter = RecordingAdapter()
    done = offline(adapter, clip, size=5, limit=5)
    assert [c.scene for batch in done for c in batch] == list(range(12))
    assert [len(batch) for batch in done] == [5, 5, 2]
    assert [c.text for batch in done for c in batch] == [f"scene {n}" for n in range(12)]


@pytest.mark.parametrize("room", [1, 2, 3, 5, 7, 8])
def test_a_batch_that_does_not_fit_is_halved_and_nothing_is_lost(clip: Path, room: int) -> None:
    adapter = RecordingAdapter(room)
    done = offline(adapter, clip, size=8, limit=8)
    assert [c.scene for batch in done for c in batch] == list(range(12))
    assert max(c.batch_size for batch in done for c in batch) <= room


def test_a_size_that_failed_is_not_tried_again(clip: Path) -> None:
    adapter = RecordingAdapter(room=2)
    offline(adapter, clip, size=4, limit=4)
    assert [len(scenes) for scenes in adapter.tried] == [4, 2, 2, 2, 2, 2, 2]


def test_a_scene_that_does_not_fit_alone_fails_alone(clip: Path) -> None:
    adapter = RecordingAdapter(impossible=(5,))
    captions = [c for batch in offline(adapter, clip, size=4, limit=4) for c in batch]
    assert [c.scene for c in captions] == list(range(12))
    failed = [c for c in captions if c.error]
    assert [(c.scene, c.text) for c in failed] == [(5, "")]
    assert "no room" in failed[0].error


def test_the_next_batch_is_prepared_beside_the_one_that_is_generated(clip: Path) -> None:
    adapter = RecordingAdapter()
    offline(adapter, clip, size=4, limit=4)
    assert threading.main_thread().name not in adapter.prepared_in


def test_the_parts_of_a_single_stream_scene_add_up_to_it(clip: Path) -> None:
    captions = list(engine(RecordingAdapter(), clip).single_stream(SCENES[::4]))
    assert [c.scene for c in captions] == [0, 4, 8]
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
