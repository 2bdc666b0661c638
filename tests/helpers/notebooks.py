"""Notebooks that do next to nothing, for tests of whoever runs them."""

from __future__ import annotations

from pathlib import Path

import nbformat
import psutil
from nbformat.v4 import new_code_cell, new_notebook

from kairos_lib.launch.job import Job
from kairos_lib.launch.processes import TOKEN
from kairos_lib.project import Project
from kairos_lib.runs.run import Run

WRITE_RESULT = "import os, pathlib; run = pathlib.Path(os.environ['KAIROS_NOTEBOOK_FOLDER'])\n"
FINISH = "(run / 'result.json').write_text('{}')"


def job(project: Project, *cells: str, timeout_s: float = 120.0, **parameters: object) -> Job:
    """A notebook of some cells, in which `run` is the run's folder; not run yet."""
    path = project.notebooks / "test.ipynb"
    first = new_code_cell("answer = 0", metadata={"tags": ["parameters"]})
    nbformat.write(new_notebook(cells=[first, *map(new_code_cell, [WRITE_RESULT, *cells])]), path)
    run = Run(project.runs / "a {braced} folder", {"cells": cells})
    return Job(path, run, parameters, "python3", timeout_s)


def marked_processes(folder: Path) -> list[psutil.Process]:
    """The live processes that a run's notebook started, and its runner."""
    found = []
    for process in psutil.process_iter():
        try:
            environment = process.environ()
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
        if TOKEN in environment and environment.get("KAIROS_NOTEBOOK_FOLDER") == str(folder):
            found.append(process)
    return found
