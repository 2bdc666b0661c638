"""What a process with models does when loading or memory fails, and how it checks its weights."""

from __future__ import annotations

import gc
import os
import weakref
from pathlib import Path

import pytest
from helpers.projects import CHECKOUT, make_project, write_parameters

from kairos_lib.analyzers import objects
from kairos_lib.analyzers.profile import Base
from kairos_lib.errors import KairosError
from kairos_lib.parameters.loading import load, video
from kairos_lib.parameters.service import Service
from kairos_lib.parameters.yaml_files import validate
from kairos_lib.pipeline.base_session import BaseSession
from kairos_lib.pipeline.pool import Key, Pool
from kairos_lib.project import Project
from kairos_lib.serve import resident_process
from kairos_lib.serve.contract import ChildData
from kairos_lib.serve.patient_pool import PatientPool
from kairos_lib.serve.resident import Resident
from kairos_lib.serve.work_records import Done, Setup, Stats


def key(name: str) -> Key:
    return Key(name, "{}", "weights", "cpu")


def test_a_model_that_does_not_load_is_tried_once_more_with_the_others_out_of_the_way() -> None:
    pool = PatientPool(8000)
    with pool.using(key("other"), 10, lambda: "other"):
        pass
    tries: list[int] = []

    def load() -> str:
        tries.append(pool.evictions)
        if len(tries) == 1:
            raise RuntimeError("CUDA out of memory")
        return "loaded"

    with pool.using(key("one"), 10, load) as model:
        assert model == "loaded"
    assert tries == [0, 1]


def test_a_model_that_can_never_be_loaded_says_why_and_leaves_the_pool_usable() -> None:
    pool = PatientPool(8000)

    def load() -> str:
        raise RuntimeError("file is damaged\nat great length")

    with (
        pytest.raises(KairosError, match=r"not even alone: RuntimeError: file is damaged$"),
        pool.using(key("one"), 10, load),
    ):
        pass
    with pool.using(key("one"), 10, lambda: "loaded") as model:
        assert model == "loaded"


def test_dropping_what_is_idle_spares_what_is_in_use() -> None:
    pool = Pool(8000)
    with pool.using(key("a"), 10, lambda: "a"), pool.using(key("b"), 10, lambda: "b"):
        pool.drop_idle()
        assert pool.evictions == 0
    pool.drop_idle()
    assert pool.evictions == 2


def test_a_batch_that_did_not_fit_is_not_tried_again_with_the_next_video(
    tmp_path: Path, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = make_project(tmp_path / "project")
    own = {"weights": {"source": "nano", "id": "yolo/yolov8-nano-shapes.pt"}, "batch_size": 8}
    base = {"title": "Own", "stages": ["objects"], "objects": own}
    write_parameters(project, "base", "own", base)
    asked: list[list[int]] = []

    def detect(stage: object, batch: list[object]) -> list[object]:
        asked[-1].append(len(batch))
        if len(batch) > 3:
            raise RuntimeError("CUDA out of memory")
        return batch

    monkeypatch.setattr(objects.Analyzer, "load", classmethod(lambda *_: "loaded"))
    monkeypatch.setattr(objects.Analyzer, "_detect", detect)
    monkeypatch.setattr(objects.Analyzer, "_detections", lambda *_: iter(()))
    pool = Pool(8000)
    for name in ("first", "second"):
        asked.append([])
        path = tmp_path / f"{name}.mp4"
        path.write_bytes(clip.read_bytes())
        profile = load(project, Base, "own")
        BaseSession(project, video(project, str(path)), profile, pool).process()
    assert asked == [[8, 4, 2, 2, 2, 2, 2, 2], [2, 2, 2, 2, 2, 2]]
    assert (pool.loads, pool.hits) == (1, 1)


def resident(project: Project) -> Resident:
    groups = {"a": {"analyzers": ["scenes", "objects"]}}
    values = {"name": "own", "title": "Own", "base": "own", "groups": groups}
    return Resident(Setup(project.root, validate(Service, values, "own"), "a", "ear"))


def test_weights_that_are_not_the_pinned_ones_keep_a_group_from_starting(tmp_path: Path) -> None:
    project = make_project(tmp_path / "project")
    weights = project.root / "yolo.pt"
    weights.write_bytes(b"other weights")
    pinned = {"source": "path", "id": str(weights), "sha256": "0" * 64}
    base = {"title": "Own", "stages": ["objects"], "objects": {"weights": pinned}}
    write_parameters(project, "base", "own", base)
    with pytest.raises(KairosError, match=r"weights of objects: .* not the expected 000000000000"):
        resident(project).warm(verify=True)


def test_hashes_known_from_before_are_not_trusted_at_start(tmp_path: Path) -> None:
    project = make_project(tmp_path / "project")
    source = CHECKOUT / "kairos_lib" / "nano" / "weights" / "yolo" / "yolov8-nano-shapes.pt"
    sha256 = "596d3bf651003bfb3ec13e5ff005f7d989ddff0960b4fe200675d88fabc684f4"
    weights = project.root / "yolo.pt"
    weights.write_bytes(source.read_bytes())
    pinned = {"source": "path", "id": str(weights), "sha256": sha256}
    base = {"title": "Own", "stages": ["objects"], "objects": {"weights": pinned}}
    write_parameters(project, "base", "own", base)
    one = resident(project)
    assert one.warm(verify=False).loads == 1
    stat = weights.stat()
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)  # The same size, and the same time:
    os.utime(weights, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert resident(project).warm(verify=False).loads == 1
    with pytest.raises(KairosError, match="weights of objects"):
        resident(project).warm(verify=True)


class Loop:
    itself: Loop


class Cyclic:
    """Work that leaves something behind that only the garbage collector finds."""

    def work(self, job: str, data: ChildData) -> Done:
        left = Loop()
        left.itself = left
        self.left = weakref.ref(left)
        return Done("", "", {}, {})

    def stats(self) -> Stats:
        return Stats(0, 0, 0, 0, rss_mib=float(self.left() is not None), vram_mib=0)


def test_what_a_job_left_behind_is_gone_before_memory_is_looked_at(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(resident_process, "_here", [Cyclic()])
    gc.disable()
    try:
        done = resident_process.work("7", ChildData(video_path="a.mp4", analyzers=(), base=""))
    finally:
        gc.enable()
    assert done.stats is not None and done.stats.rss_mib == 0
