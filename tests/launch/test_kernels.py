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
THREADS = "2"
"""That the kernelspec asks for: more than the tests' own."""


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
        [
            python, "-m", "ipykernel", "install", "--prefix", folder, "--name", "other",
            "--env", "OMP_NUM_THREADS", THREADS,
        ],
        check=True,
        capture_output=True,
    )  # fmt: skip
    return folder / "share" / "jupyter"


@pytest.mark.services
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
        env={
            **{name: value for name, value in os.environ.items() if name != "OMP_WAIT_POLICY"},
            "OMP_NUM_THREADS": "1",
            "JUPYTER_PATH": str(jupyter_path),
        },
    )  # fmt: skip
    assert answer.returncode == 0, answer.stderr + answer.stdout
    found = {name: versions(project, name) for name in ("tiny", "tiny-other")}
    assert found["tiny-other"] == OTHER
    assert found["tiny"] != OTHER
    # Both rest on the same base processing, which is of Kairos's own environment.
    assert len(list((project.runs / "base" / "twelve").glob("*/result.json"))) == 1
    page = (project.reports / "tiny-tiny-other-twelve" / "index.html").read_text()
    assert all(version in page for version in found.values())
    assert threads_of(project, "tiny-other") == f"{THREADS} threads, passive waiting"
    assert threads_of(project, "tiny") == "1 threads, passive waiting"


def threads_of(project: Project, model: str) -> str:
    """That computed, as the record has it; the key, which plan and kernel work out, says so too."""
    folder = run_folder(project, model)
    made = json.loads((folder / "provenance.json").read_text())["machine"]
    told = f"{made['compute_threads']} threads, {made['wait_policy']} waiting"
    assert f"({told})" in json.loads((folder / "key.json").read_text())["device"]
    return told


def versions(project: Project, model: str) -> str:
    """Of transformers, as the key and the provenance of a model's run have it."""
    folder = run_folder(project, model)
    key = json.loads((folder / "key.json").read_text())["versions"]["transformers"]
    made = json.loads((folder / "provenance.json").read_text())["packages"]["transformers"]
    assert key == made
    return str(made)


def run_folder(project: Project, model: str) -> Path:
    (folder,) = (project.runs / "vlm" / model / "twelve").glob("*/r001")
    return folder
