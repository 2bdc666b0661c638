"""A disk that fills up while stages write: one line, no hang, and nothing wrong is kept."""

from __future__ import annotations

import re
import shutil
import threading
from pathlib import Path

import pytest
from helpers.clips import COLOURS, write_clip
from helpers.disk import Disk
from helpers.projects import make_project, write_parameters
from hypothesis import given, settings
from hypothesis import strategies as st

from kairos_lib.errors import KairosError
from kairos_lib.pipeline.base_session import BaseSession
from kairos_lib.project import Project

LIMIT_S = 120.0
"""Far more than it takes: whoever waits longer waits for something that will not come."""


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clip(tmp_path_factory.mktemp("film") / "three.mp4", COLOURS[:3])


@pytest.fixture(scope="module")
def listening(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project whose profile has stages that need each other, and none with weights."""
    made = make_project(tmp_path_factory.mktemp("full") / "project")
    profile = {"title": "L", "stages": ["slices", "vad"], "scenes": {"thumbnail_px": 32}}
    write_parameters(made, "base", "listening", profile)
    return made


class Bench:
    """Processes a film again and again, on a disk that is full at some time or other."""

    def __init__(self, project: Project, film: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("KAIROS_ROOT", str(project.root))
        self._film = film
        self._base = project.runs / "base"
        self.disk = Disk(self._base, monkeypatch)

    def begin_anew(self) -> None:
        shutil.rmtree(self._base, ignore_errors=True)

    def process(self) -> BaseException | None:
        """Process the film as the notebook does; what was raised, if anything."""
        raised: list[BaseException] = []

        def work() -> None:
            try:
                BaseSession.open(str(self._film), "listening").process()
            except BaseException as error:
                raised.append(error)

        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        thread.join(LIMIT_S)
        assert not thread.is_alive(), "it waits for something that will not come"
        return raised[0] if raised else None

    def results(self) -> dict[str, bytes]:
        """What was found, by file, without what differs from one time to the next."""
        found = (*self._base.rglob("*.jsonl"), *self._base.rglob("*.wav"))
        kept = [path for path in found if path.name != "resources.jsonl"]
        return {str(path.relative_to(self._base)): path.read_bytes() for path in kept}


@pytest.fixture
def bench(listening: Project, film: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    return Bench(listening, film, monkeypatch)


def named(written: str) -> str:
    """A file by its own name, of several scenes the first: it is written under a longer one."""
    return re.sub(r"^\.|\.[0-9a-f]{32}$", "", re.sub(r"\d{4}", "0000", Path(written).name))


@pytest.mark.services
def test_wherever_a_stage_writes_a_full_disk_is_one_line(bench: Bench) -> None:
    """Every file in turn: those of reports and of progress, too, which others wait for."""
    bench.begin_anew()
    assert bench.process() is None
    right = bench.results()
    names = {named(name) for name in bench.disk.names}
    expected = ["progress.json", "scenes.json", "scenes.jsonl", "audio.partial", "result.json"]
    assert names.issuperset(expected)
    for name in sorted(names):
        bench.begin_anew()
        bench.disk.refused = name
        raised = bench.process()
        assert isinstance(raised, KairosError), (name, raised)
        assert "the disk is full: there is no room" in str(raised), name
        assert "\n" not in str(raised)
        bench.disk.refused = ""
        assert bench.process() is None
        assert bench.results() == right, name


@settings(derandomize=True, deadline=None, max_examples=8)
@given(share=st.floats(0.0, 1.0, exclude_max=True))
def test_a_disk_that_fills_up_at_any_moment_is_one_line(
    listening: Project, film: Path, share: float
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        bench = Bench(listening, film, patch)
        bench.begin_anew()
        assert bench.process() is None
        right, count = bench.results(), len(bench.disk.names)
        bench.begin_anew()
        bench.disk.room = int(share * count * 0.9)  # Progress is told more or less often.
        raised = bench.process()
        assert isinstance(raised, KairosError), raised
        assert "the disk is full" in str(raised)
        bench.disk.room = None
        assert bench.process() is None
        assert bench.results() == right
