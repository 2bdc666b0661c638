"""What tests of several parts need: a project of their own, small videos, tiny checkpoints."""

from __future__ import annotations

import functools
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from helpers.clips import COLOURS, write_clip
from helpers.picture_checkpoints import MAKERS
from helpers.projects import fill, make_project
from helpers.suites import SuiteMaker

from kairos_lib.measure import threads
from kairos_lib.measure.resources import Sampler
from kairos_lib.project import Project

# Tests keep all cores busy, with models so small that the threads of each would mostly wait for one
# another. Read by torch when it is imported, here and in kernels.
os.environ.setdefault("OMP_NUM_THREADS", "1")
threads.settle()
# In the background of a script Ctrl-C is ignored, and by all that is started there; tests press it.
signal.signal(signal.SIGINT, signal.default_int_handler)
LONGEST = ("test_bench.py", "test_variants.py")
"""Files that take minutes: begun last, one of them would be waited for with a core idle."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files first, the others in their order."""
    rank = {name: number for number, name in enumerate(LONGEST)}
    items.sort(key=lambda item: rank.get(item.path.name, len(rank)))


@pytest.fixture(autouse=True)
def _quiet_surroundings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of the user's own settings reaches a test."""
    for name in [n for n in os.environ if n.startswith("KAIROS_")]:
        monkeypatch.delenv(name)


@pytest.fixture(autouse=True)
def _no_sampler_outlives_its_test(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A session that a test leaves half way would have its process sampled to the very end."""
    started: list[Sampler] = []
    start = Sampler.start

    def noted(sampler: Sampler) -> None:
        started.append(sampler)
        start(sampler)

    monkeypatch.setattr(Sampler, "start", noted)
    yield
    for sampler in started:
        sampler.stop()


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The random checkpoints of `picture_checkpoints.MAKERS` by their names, each made once."""
    folder = tmp_path_factory.mktemp("weights")

    @functools.cache
    def made(name: str) -> Path:
        return MAKERS[name](folder / name)

    return made


@pytest.fixture(scope="session")
def llava_weights(checkpoint: Callable[[str], Path]) -> Path:
    """A random LLaVA-NeXT in the format of the real ones."""
    return checkpoint("llava_next")


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A video of twelve scenes of one second, with sound."""
    return write_clip(tmp_path_factory.mktemp("clips") / "twelve.mp4", COLOURS)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """An empty project with the real notebooks."""
    made = make_project(tmp_path / "project")
    monkeypatch.setenv("KAIROS_ROOT", str(made.root))
    monkeypatch.chdir(made.root)
    return made


@pytest.fixture(scope="session")
def forecasts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What models would need: the same in all projects, and found out in seconds."""
    return tmp_path_factory.mktemp("forecasts")


@pytest.fixture
def small(project: Project, clip: Path, llava_weights: Path, forecasts: Path) -> Project:
    """A project with one video, one model and one base profile, ready to run."""
    fill(project, clip, llava_weights, forecasts)
    return project


@pytest.fixture
def unloaded(project: Project, clip: Path, tmp_path: Path) -> Project:
    """A project with one video and one model whose weights nobody will load."""
    weights = tmp_path / "weights"
    weights.mkdir()
    (weights / "model.safetensors").write_bytes(b"weights")
    fill(project, clip, weights)
    return project


@pytest.fixture
def maker(tmp_path: Path) -> SuiteMaker:
    """An empty project to write a suite into."""
    return SuiteMaker(tmp_path)
