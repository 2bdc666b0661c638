"""What is committed keeps the promises made about it."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import nbformat
import pytest
import yaml

CHECKOUT = Path(__file__).parent.parent
NOTEBOOKS = sorted((CHECKOUT / "notebooks").glob("*.ipynb"))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_notebooks_are_thin_and_carry_no_outputs(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert all(not cell.outputs and cell.execution_count is None for cell in code)
    assert len(code) <= 12
    assert all(len(cell.source.splitlines()) <= 5 for cell in code)
    assert [c.metadata.get("tags") for c in code].count(["parameters"]) == 1
    assert notebook.cells[0].cell_type == "markdown"


def test_there_is_a_notebook_for_each_step() -> None:
    assert {path.name for path in NOTEBOOKS} == {
        "base.ipynb", "vlm.ipynb", "events.ipynb", "analysis.ipynb", "events-analysis.ipynb",
    }  # fmt: skip


def refused_by_pip(environment: dict[str, Any]) -> list[str]:
    """Lines of conda's pip section that pip refuses in the requirements file made of them."""
    sections = [d["pip"] for d in environment["dependencies"] if isinstance(d, dict) and "pip" in d]
    # It may have some options, each on a line of its own, but none of an install's.
    lines = [str(line) for section in sections for line in section or ()]
    return [
        line
        for line in lines
        if re.search(r"\s-", line) or re.match(r"--?(?![erc] |editable|requirement|constr)", line)
    ]


@pytest.mark.parametrize(
    ("line", "refused"),
    [
        ("-e . --no-deps", True), ("--no-deps", True), ("-r requirements.txt", False),
        ("numpy==2.0", False), ("numpy -U", True),
    ],
)  # fmt: skip
def test_lines_that_pip_refuses_are_known(line: str, refused: bool) -> None:
    assert bool(refused_by_pip({"dependencies": ["pip", {"pip": [line]}]})) == refused


def test_conda_brings_what_make_install_needs_and_nothing_of_its_own() -> None:
    environment = yaml.safe_load((CHECKOUT / "environment.yml").read_text())
    assert refused_by_pip(environment) == []
    assert set(environment) == {"name", "channels", "dependencies"}
    names = [str(line).partition("=")[0] for line in environment["dependencies"]]
    # The pins come with `make install`: two of them in one environment would not agree.
    assert sorted(names) == ["git", "make", "python"]


def test_exactly_one_opencv_is_pinned() -> None:
    pins = (CHECKOUT / "requirements.txt").read_text()
    assert re.findall(r"^opencv[a-z-]*", pins, re.M) == ["opencv-python-headless"]


def test_every_pin_is_exact_and_names_no_registry() -> None:
    lines = (CHECKOUT / "requirements.txt").read_text().splitlines()
    pins = [line for line in lines if line and not line.lstrip().startswith("#")]
    assert all(re.match(r"[a-zA-Z0-9._\[\],-]+==\S+", pin) for pin in pins)


@pytest.mark.parametrize(
    "module",
    [
        "cli",
        "bench.execution",
        "bench.base_alone",
        "bench.plan",
        "bench.events_plan",
        "events.events_session",
        "bench.display",
        "bench.handing_over",
        "bench.node_task",
        "launch.local",
        "pipeline.base_session",
        "vlm.vlm_session",
        "report.report_session",
    ],
)
def test_the_orchestrator_imports_no_torch(module: str) -> None:
    code = (
        f"import kairos_lib.{module}, json, sys\n"
        "heavy = {'torch', 'transformers', 'ultralytics', 'cv2', 'pandas', 'matplotlib'}\n"
        "print(json.dumps(sorted(heavy & set(sys.modules))))"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert json.loads(answer.stdout) == []


def test_no_adapter_or_stage_imports_torch_before_it_is_used() -> None:
    code = (
        "import sys\n"
        "from kairos_lib.analyzers import analyzer\n"
        "from kairos_lib.vlm import adapter\n"
        "assert [analyzer.find(name) for name in analyzer.names()]\n"
        "assert [adapter.find_family(name) for name in adapter.families()]\n"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
