"""A model whose notebook runs in another environment than Kairos's own."""

import json
import os
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest
from helpers.projects import fill, make_project, tiny_model, write_parameters

from kairos_lib.project import Project

OTHER = "0.0.1"


@pytest.fixture(scope="module")
def jupyter_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A kernelspec of an environment that says it has another transformers.

    It has the packages of this one, and before them the papers of a version of its own.
    """
    folder = tmp_path_factory.mktemp("environments") / "other"
    venv.create(folder, symlinks=True)
    (site,) = folder.glob("lib/python3*/site-packages")
    papers = site / f"transformers-{OTHER}.dist-info"
    papers.mkdir()
    text = f"Metadata-Version: 2.1\nName: transformers\nVersion: {OTHER}\n"
    (papers / "METADATA").write_text(text)
    (site / "zz_shared.pth").write_text(
        f"import site; site.addsitedir({sysconfig.get_path('purelib')!r})"
    )
    python = folder / "bin" / "python"
    subprocess.run(
        [python, "-m", "ipykernel", "install", "--prefix", folder, "--name", "other"],
        check=True,
        capture_output=True,
    )
    return folder / "share" / "jupyter"


def test_one_suite_runs_over_kernels_with_other_versions(
    jupyter_path: Path, tmp_path: Path, clip: Path, llava_weights: Path, forecasts: Path
) -> None:
    project = make_project(tmp_path / "project")
    fill(project, clip, llava_weights, forecasts)
    model = tiny_model(llava_weights, title="Other", kernel="other")
    write_parameters(project, "models", "tiny-other", model)
    command = [sys.executable, "-m", "kairos_lib.cli", "bench", "--model", "tiny,tiny-other"]
    answer = subprocess.run(
        [*command, "--video", "twelve"],
        cwd=project.root, capture_output=True, text=True, timeout=300,
        env={**os.environ, "JUPYTER_PATH": str(jupyter_path)},
    )  # fmt: skip
    assert answer.returncode == 0, answer.stderr + answer.stdout
    found = {name: versions(project, name) for name in ("tiny", "tiny-other")}
    assert found["tiny-other"] == OTHER
    assert found["tiny"] != OTHER
    # Both rest on the same base processing, which is of Kairos's own environment.
    assert len(list((project.runs / "base" / "twelve").glob("*/result.json"))) == 1
    page = (project.reports / "tiny-tiny-other-twelve" / "index.html").read_text()
    assert all(version in page for version in found.values())


def versions(project: Project, model: str) -> str:
    """Of transformers, as the key and the provenance of a model's run have it."""
    (folder,) = (project.runs / "vlm" / model / "twelve").glob("*/r001")
    key = json.loads((folder / "key.json").read_text())["versions"]["transformers"]
    made = json.loads((folder / "provenance.json").read_text())["packages"]["transformers"]
    assert key == made
    return str(made)
