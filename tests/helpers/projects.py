"""Projects of their own for tests to run in."""

from __future__ import annotations

import shutil
from pathlib import Path

import yaml

from kairos_lib.project import Project

CHECKOUT = Path(__file__).resolve().parents[2]


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


def fill(project: Project, clip: Path, weights: Path) -> None:
    """Give a project one video, one model and one base profile."""
    (project.root / "videos").mkdir()
    shutil.copy(clip, project.root / "videos" / "twelve.mp4")
    write_parameters(project, "videos", "twelve", {"title": "Twelve", "path": "videos/twelve.mp4"})
    write_parameters(project, "models", "tiny", tiny_model(weights))
    write_parameters(project, "base", "plain", dict(PLAIN_BASE))
    write_parameters(project, "suites", "one", {"title": "1", "models": ["tiny"], "videos": ["*"]})
