"""What tests of several parts need: a project of their own, small videos, tiny checkpoints."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest
import yaml

sys.path.insert(0, str(Path(__file__).parent))

from checkpoints import tiny_llava
from clips import COLOURS, write_clip

from kairos_lib.project import Project

CHECKOUT = Path(__file__).parent.parent


@pytest.fixture(autouse=True)
def _quiet_surroundings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of the user's own settings reaches a test."""
    for name in [n for n in os.environ if n.startswith("KAIROS_")]:
        monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def llava_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random LLaVA-NeXT in the format of the real ones."""
    return tiny_llava(tmp_path_factory.mktemp("weights") / "llava")


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


def make_project(root: Path) -> Project:
    """A project with the checkout's notebooks and no parameters."""
    for folder in ("videos", "models", "base", "suites"):
        (root / "parameters" / folder).mkdir(parents=True)
    shutil.copytree(CHECKOUT / "notebooks", root / "notebooks")
    return Project(root)


def write_parameters(project: Project, kind: str, name: str, values: dict[str, object]) -> None:
    """Write one parameter file."""
    path = project.parameters / kind / f"{name}.yaml"
    path.write_text(yaml.safe_dump(values), encoding="utf-8")


def tiny_model(weights: Path, /, **changes: object) -> dict[str, object]:
    """Parameters of a model that runs in no time."""
    return {
        "title": "Tiny",
        "family": "llava_next",
        "weights": {"source": "path", "id": str(weights)},
        "dtype": "float32",
        "device": "cpu",
        "frames": {"longest_px": 56},
        "prompt": {"instruction": "Describe the scene."},
        "generation": {"max_new_tokens": 8},
        "batch_size": 4,
        "single_stream_scenes": 3,
        "base": "plain",
        **changes,
    }


PLAIN_BASE = {"title": "Plain", "stages": ["scenes"], "scenes": {"thumbnail_px": 96}}


@pytest.fixture
def small(project: Project, clip: Path, llava_weights: Path) -> Project:
    """A project with one video, one model and one base profile, ready to run."""
    fill(project, clip, llava_weights)
    return project


def fill(project: Project, clip: Path, weights: Path) -> None:
    """Give a project one video, one model and one base profile."""
    (project.root / "videos").mkdir()
    shutil.copy(clip, project.root / "videos" / "twelve.mp4")
    write_parameters(project, "videos", "twelve", {"title": "Twelve", "path": "videos/twelve.mp4"})
    write_parameters(project, "models", "tiny", tiny_model(weights))
    write_parameters(project, "base", "plain", dict(PLAIN_BASE))
    write_parameters(project, "suites", "one", {"title": "1", "models": ["tiny"], "videos": ["*"]})
