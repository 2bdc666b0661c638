"""Reports as a bench leaves them, without a kernel: the notebook's cells are run here."""

from __future__ import annotations

import ast
import os
from pathlib import Path
from typing import Any
from unittest import mock

import nbformat
from nbformat.v4 import new_output

from kairos_lib.project import Project
from kairos_lib.report.executed import export_notebooks
from kairos_lib.report.export import export
from kairos_lib.report.report_session import analysis_run
from kairos_lib.runs.run import EXECUTED


def write_report(project: Project, suite: str = "demo") -> Path:
    """Run the cells of the analysis notebook and export what they show; the report's path."""
    run = analysis_run(project, suite)
    run.create()
    notebook: Any = nbformat.read(project.notebooks / "analysis.ipynb", as_version=4)
    places = {"KAIROS_ROOT": str(project.root), "KAIROS_NOTEBOOK_FOLDER": str(run.folder)}
    names: dict[str, Any] = {}
    with mock.patch.dict(os.environ, places):
        for cell in notebook.cells:
            if cell.cell_type == "code":
                shown = _run(cell.source, names)
                names["suite"] = suite
                if shown is not None:
                    data = {"text/html": shown._repr_html_()}
                    cell.outputs = [new_output("display_data", data)]
    executed = run.file(EXECUTED)
    nbformat.write(notebook, executed)
    index = project.reports / suite / "index.html"
    export_notebooks(project, suite, executed, index.parent)
    export(project, executed, index)
    return index


def _run(source: str, names: dict[str, Any]) -> Any:
    """Run a cell; what its last line comes to."""
    lines = ast.parse(source)
    last = lines.body.pop() if isinstance(lines.body[-1], ast.Expr) else None
    exec(compile(lines, "cell", "exec"), names)
    return eval(compile(ast.Expression(last.value), "cell", "eval"), names) if last else None
