"""The graph with stages that note what runs beside them."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import pytest

from kairos_lib.analyzers import analyzer
from kairos_lib.analyzers.analyzer import Stage
from kairos_lib.analyzers.profile import Base
from kairos_lib.errors import KairosError
from kairos_lib.media.video import probe
from kairos_lib.pipeline import graph
from kairos_lib.pipeline.graph import Graph
from kairos_lib.pipeline.records import StageReport
from kairos_lib.runs.record import Record


class Note(Record):
    """A record that lies at a moment of the video."""

    scene: int
    time_s: float


class Listener(Stage):
    """Takes a moment, and knows how many of its like were at work at once."""

    version: ClassVar[int] = 1
    record: ClassVar[type[Note]] = Note
    at_work: ClassVar[list[str]] = []
    most: ClassVar[list[int]] = []
    meeting: ClassVar[threading.Barrier | None] = None

    def run(self) -> Iterator[Note]:
        Listener.at_work.append(self.name)
        Listener.most.append(len(Listener.at_work))
        if Listener.meeting is not None:
            Listener.meeting.wait(timeout=10)
        time.sleep(0.05)
        yield Note(scene=-1, time_s=2.5)
        Listener.at_work.remove(self.name)


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Listener, "at_work", [])
    monkeypatch.setattr(Listener, "most", [])


def run(
    monkeypatch: pytest.MonkeyPatch, clip: Path, folder: Path, *kinds: type[Stage], mib: int = 8000
) -> dict[str, StageReport]:
    real = analyzer.find
    known = {kind.name: kind for kind in kinds}
    monkeypatch.setattr(analyzer, "find", lambda name: known.get(name) or real(name))
    profile = Base(name="p", title="P", stages=tuple(known), device_memory_mib=mib)
    # A folder of its own to look for results to take over in.
    folder = folder / "video" / "key"
    reports = Graph(clip, probe(clip, "0"), profile, folder, {}, lambda *_: None).run()
    return {report.name: report for report in reports}


def listener(title: str, **attributes: object) -> type[Stage]:
    return type(title, (Listener,), {"name": title, **attributes})


def test_what_needs_no_pictures_runs_while_they_are_decoded(
    monkeypatch: pytest.MonkeyPatch, clip: Path, tmp_path: Path
) -> None:
    monkeypatch.setattr(Listener, "meeting", threading.Barrier(2))
    kinds = (listener("talk", device="io"), listener("noise", device="gpu"))
    reports = run(monkeypatch, clip, tmp_path, *kinds)
    assert {report.state for report in reports.values()} == {"done"}


@pytest.mark.parametrize(
    ("gpu", "claim_mib", "at_once"), [(True, 3000, 2), (True, 5000, 1), (False, 1, 1)]
)
def test_the_device_is_shared_as_far_as_its_memory_goes(
    monkeypatch: pytest.MonkeyPatch,
    clip: Path,
    tmp_path: Path,
    gpu: bool,
    claim_mib: int,
    at_once: int,
) -> None:
    """Without a GPU the cores are the device: models on it take turns."""
    monkeypatch.setattr(graph, "gpus", lambda: ({"name": "GPU"},) if gpu else ())
    monkeypatch.setattr(Listener, "meeting", threading.Barrier(2) if at_once == 2 else None)
    kinds = [listener(name, device="gpu", memory_mib=claim_mib) for name in ("one", "two")]
    reports = run(monkeypatch, clip, tmp_path, *kinds)
    assert [reports[name].state for name in ("one", "two")] == ["done", "done"]
    assert max(Listener.most) == at_once


def test_a_stage_larger_than_the_whole_budget_runs_alone(
    monkeypatch: pytest.MonkeyPatch, clip: Path, tmp_path: Path
) -> None:
    monkeypatch.setattr(graph, "gpus", lambda: ({"name": "GPU"},))
    kinds = [listener(name, device="gpu", memory_mib=99_000) for name in ("one", "two")]
    reports = run(monkeypatch, clip, tmp_path, *kinds)
    assert [reports[name].state for name in ("one", "two")] == ["done", "done"]
    assert max(Listener.most) == 1


def test_records_get_their_scene_once_the_scenes_are_known(
    monkeypatch: pytest.MonkeyPatch, clip: Path, tmp_path: Path
) -> None:
    run(monkeypatch, clip, tmp_path, listener("talk", placed=True))
    assert (
        Note.model_validate_json((tmp_path / "video" / "key" / "talk.jsonl").read_bytes()).scene
        == 2
    )


def test_a_stage_that_needs_one_that_failed_says_which(
    monkeypatch: pytest.MonkeyPatch, clip: Path, tmp_path: Path
) -> None:
    def refuse(self: Stage) -> None:
        raise KairosError("the service refused")

    kinds = (
        listener("talk", prepare=refuse),
        listener("sense", needs=("talk",)),
        listener("noise"),
    )
    reports = run(monkeypatch, clip, tmp_path, *kinds)
    assert (reports["talk"].state, reports["talk"].reason) == ("failed", "the service refused")
    assert (reports["sense"].state, reports["sense"].reason) == (
        "failed",
        "it needs talk, which failed",
    )
    assert reports["noise"].state == reports["scenes"].state == "done"


def test_a_viewer_that_fails_does_not_stop_the_others(
    monkeypatch: pytest.MonkeyPatch, clip: Path, tmp_path: Path
) -> None:
    def give_up(self: Stage) -> Iterator[Note]:
        yield from ()
        next(iter(self.frames))
        raise ValueError("cannot look")

    kind = listener("blink", run=give_up, frames_per_second=lambda self: float("inf"))
    reports = run(monkeypatch, clip, tmp_path, kind)
    assert (reports["blink"].state, reports["blink"].reason) == (
        "failed",
        "ValueError: cannot look",
    )
    assert (reports["scenes"].state, reports["scenes"].records) == ("done", 12)


def samples(log: Path) -> int:
    return len(log.read_text().splitlines()) if log.exists() else 0


def test_each_stage_tells_its_own_time_and_what_the_kernel_took_meanwhile(
    monkeypatch: pytest.MonkeyPatch, clip: Path, tmp_path: Path
) -> None:
    def work(self: Stage) -> Iterator[Note]:
        held = bytearray(200 << 20)
        held[::4096] = b"x" * len(held[::4096])
        time.sleep(1.0)
        # On a busy machine the process that samples starts late.
        log = self.context.folder / "resources.jsonl"
        until_s = time.monotonic() + 30
        before = samples(log)
        while samples(log) < before + 5 and time.monotonic() < until_s:
            time.sleep(0.1)
        yield Note(scene=0, time_s=0.0)
        del held

    reports = run(monkeypatch, clip, tmp_path, listener("heavy", run=work), listener("light"))
    heavy = reports["heavy"]
    assert 1.0 <= heavy.time_s <= heavy.ended_s - heavy.began_s + 0.01
    assert reports["light"].time_s < heavy.time_s
    assert heavy.resources is not None
    assert heavy.resources.samples >= 3
    assert heavy.resources.peak_ram_mib > 200
