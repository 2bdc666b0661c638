"""Projects of their own for tests to run in."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import yaml

from kairos_lib.project import Project

CHECKOUT = Path(__file__).resolve().parents[2]


def make_project(root: Path) -> Project:
    """A project with the checkout's notebooks and no parameters."""
    for folder in ("videos", "models", "base", "suites", "events"):
        (root / "parameters" / folder).mkdir(parents=True)
    shutil.copytree(CHECKOUT / "notebooks", root / "notebooks")
    return Project(root)


@contextmanager
def short_report(project: Project) -> Iterator[None]:
    """A report of its first and its last cell alone, for benches whose report nobody looks at."""
    path = project.notebooks / "analysis.ipynb"
    whole = path.read_text(encoding="utf-8")
    notebook = json.loads(whole)
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    opened = {**code[1], "source": [line for line in code[1]["source"] if "overview" not in line]}
    notebook["cells"] = [code[0], opened, code[-1]]
    path.write_text(json.dumps(notebook), encoding="utf-8")
    try:
        yield
    finally:
        path.write_text(whole, encoding="utf-8")


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


def served_model(model: str, server: dict[str, object]) -> dict[str, object]:
    """Parameters of a model of a server, which decides on much itself."""
    own = ("dtype", "device")
    values = {key: v for key, v in tiny_model(Path("w")).items() if key not in own}
    weights = {"source": "server", "id": model}
    return {**values, "family": "openai", "weights": weights, "server": server}


PLAIN_BASE = {"title": "Plain", "stages": ["scenes"], "scenes": {"thumbnail_px": 96}}


def fill(project: Project, clip: Path, weights: Path, forecasts: Path | None = None) -> None:
    """Give a project one video, one model and one base profile.

    With a folder for forecasts, what was found out of a model for one project holds for all.
    """
    if forecasts is not None:
        project.runs.mkdir()
        (project.runs / "forecasts").symlink_to(forecasts)
    (project.root / "videos").mkdir()
    shutil.copy(clip, project.root / "videos" / "twelve.mp4")
    write_parameters(project, "videos", "twelve", {"title": "Twelve", "path": "videos/twelve.mp4"})
    write_parameters(project, "models", "tiny", tiny_model(weights))
    write_parameters(project, "base", "plain", dict(PLAIN_BASE))
    write_parameters(project, "suites", "one", {"title": "1", "models": ["tiny"], "videos": ["*"]})
