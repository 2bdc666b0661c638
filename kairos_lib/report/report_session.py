"""The analysis of a suite: called by `analysis.ipynb`, and by a plan that asks about it."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence, Set
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Self

from markupsafe import Markup

from kairos_lib import analyzers
from kairos_lib.project import Project
from kairos_lib.report.executed import analysis_notebook
from kairos_lib.report.page.html import Html, joined, render, style
from kairos_lib.results import suite as suites
from kairos_lib.runs.files import write_bytes, write_record
from kairos_lib.runs.record import Record
from kairos_lib.runs.run import KEY_HEX_DIGITS, NOTEBOOK_FOLDER, Run

if TYPE_CHECKING:
    import pandas as pd

    from kairos_lib.report.sections.gallery import Gallery
    from kairos_lib.results.suite import SuiteData

SOURCES = frozenset({".py", ".j2", ".css", ".js", ".json"})
PACKAGE = Path(__file__).parents[1]
MADE_BY = (
    "analyzers",
    "events",
    "formats.py",
    "nano",
    "quality",
    "report",
    "results",
    "statistics",
)
"""Parts of the package whose code determines what a report says, scene analyzers included."""


class AnalysisResult(Record):
    """What an analysis was based on; `result.json` of an analysis run."""

    key: str
    suite: str
    runs: int
    """Number of planned runs of models."""
    failed: int
    """Number of those without a result."""


def analysis_run(project: Project, suite: str) -> Run:
    """The run of a suite's analysis: a new one whenever anything shown in it has changed.

    Raises:
        KairosError: No such suite has been run.
    """
    plan = suites.manifest(project, suite)
    folders = {step.folder for step in plan.steps}
    key_inputs = {
        "manifest": plan.model_dump(mode="json"),
        "runs": {folder: _state_hash(project.root / folder) for folder in folders if folder},
        "notebook": _notebook_hash(project.notebooks / analysis_notebook(plan)),
        "references": _files_hash(project.parameters / "reference", {".yaml"}),
        "code": {
            part: _files_hash(PACKAGE / part, SOURCES)
            for part in [*MADE_BY, *map(os.path.abspath, analyzers.OWN_FOLDERS)]
        },
    }
    run = Run(Path(), key_inputs)
    return Run(project.runs / "analysis" / suite / run.key, key_inputs)


def _state_hash(folder: Path) -> str:
    """Hash of a run's status and result, each of which may be absent."""
    total = hashlib.sha256()
    for name in ("status.json", "result.json"):
        path = folder / name
        content = path.read_bytes() if path.is_file() else None
        total.update(b"absent" if content is None else hashlib.sha256(content).digest())
    return total.hexdigest()[:KEY_HEX_DIGITS]


def _notebook_hash(path: Path) -> str:
    """Hash of prose and code, as both are in the report; not of outputs."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    sources = [(cell["cell_type"], "".join(cell["source"])) for cell in cells]
    return hashlib.sha256(json.dumps(sources).encode()).hexdigest()[:KEY_HEX_DIGITS]


def _files_hash(folder: Path, suffixes: Set[str]) -> str:
    """Hash of the code that makes the report: a folder's files by name and content, or one file."""
    total = hashlib.sha256()
    found = [folder] if folder.is_file() else folder.rglob("*")
    for path in sorted(path for path in found if path.suffix in suffixes):
        total.update(f"{path.relative_to(folder)}\n".encode() + path.read_bytes())
    return total.hexdigest()[:KEY_HEX_DIGITS]


class SuiteReport:
    """The report of a suite, whatever it is of; each section is a method of a subclass."""

    def __init__(self, project: Project, suite: str) -> None:
        self.project = project
        self.suite = suite
        self.run = analysis_run(project, suite)
        # Picture paths are relative to the executed copy; by hand in JupyterLab, to the notebook.
        self._notebook_folder = Path(os.environ.get(NOTEBOOK_FOLDER) or Path.cwd())

    @classmethod
    def open(cls, suite: str) -> Self:
        """Open by the suite name in the notebook's parameters.

        Raises:
            KairosError: No such suite has been run.
        """
        return cls(Project.find(), suite)

    @cached_property
    def _data(self) -> SuiteData:
        return suites.read(self.project, self.suite)

    def _finish(self, tables: Mapping[str, pd.DataFrame], results: Sequence[object | None]) -> Html:
        """Write tables beside the report, and the result.

        Args:
            tables: By the names of their files.
            results: Of each run that was planned; none of one that has none.
        """
        folder = self.project.reports / self.suite
        for name, table in tables.items():
            write_bytes(folder / f"{name}.csv", table.to_csv(index=False).encode())
            write_bytes(folder / f"{name}.parquet", table.to_parquet(index=False))
        result = AnalysisResult(
            key=self.run.key,
            suite=self.suite,
            runs=len(results),
            failed=sum(result is None for result in results),
        )
        with self.run.writing():
            write_record(self.run.file("result.json"), result)
        rows = {name: len(table) for name, table in tables.items()}
        return render("finish", rows=rows, folder=self.project.relative(folder))


class ReportSession(SuiteReport):
    """The report of a suite that captions videos; each section is a method."""

    @cached_property
    def _gallery(self) -> Gallery:
        from kairos_lib.report.sections.gallery import Gallery

        return Gallery(self._data, self._notebook_folder)

    def overview(self) -> Html:
        """Title, verdict, and each model in a few figures and a caption."""
        from kairos_lib.report.sections import overview, verdict

        return joined(
            style(),
            overview.masthead(self._data),
            overview.left_out(self._data),
            overview.lacking(self._data),
            verdict.verdict(self._data),
            overview.glance(self._data, self._gallery.first),
        )

    def end_to_end(self) -> Html:
        """How fast each model is on each video, what failed, and what the labels mean."""
        from kairos_lib.report.sections import charts, tables, variants
        from kairos_lib.report.sections.badges import legend
        from kairos_lib.results import badges

        everything = [
            *(badge for run in self._data.runs for badge in badges.of_run(run, self._data)),
            *(badge for base in self._data.bases for badge in badges.of_base(base, self._data)),
            *(badge for step in self._data.further for badge in badges.of_step(step, self._data)),
        ]
        return section(
            tables.end_to_end(self._data),
            charts.rtf(self._data),
            variants.variants(self._data),
            tables.failures(self._data),
            legend(everything),
        )

    def time_parts(self) -> Html:
        """Where the time goes: one scene at a time, and in batches."""
        from kairos_lib.report.sections import charts, tables

        return section(
            charts.single_stream(self._data),
            tables.single_stream(self._data),
            charts.offline(self._data),
            tables.offline(self._data),
        )

    def anomalies(self) -> Html:
        """What tokens explain of the differences between videos and scenes, and what not."""
        from kairos_lib.report.sections import anomalies

        return section(anomalies.anomalies(self._data))

    def quality(self) -> Html:
        """How good the captions are, and which models are unbeaten in speed and quality."""
        from kairos_lib.report.sections import pareto, quality

        return section(
            pareto.speed_against_quality(self._data),
            quality.reference_quality(self._data),
            quality.own_quality(self._data),
        )

    def memory(self) -> Html:
        """How much memory and electricity each model needed."""
        from kairos_lib.report.sections import energy, tables

        return section(tables.memory(self._data), energy.energy(self._data))

    def models(self) -> Html:
        """Architecture of the models, and what hardware they need."""
        from kairos_lib.report.sections import architecture, hardware

        return section(architecture.architecture(self._data), hardware.hardware(self._data))

    def stages(self) -> Html:
        """Where the time of base processing goes."""
        from kairos_lib.report.sections import charts, stages

        return section(charts.stages(self._data), stages.stages(self._data))

    def provenance(self) -> Html:
        """Weights, parameters, machines and versions, and the notebooks as they were run."""
        from kairos_lib.report import executed
        from kairos_lib.report.sections import provenance

        return section(provenance.provenance(self._data), executed.notebooks_list(self._data))

    def scenes(self) -> Html:
        """Every scene with what each model wrote; scenes beyond the first page go to files."""
        from kairos_lib.report.export import FURTHER

        with self.run.writing():
            for stale in self.run.folder.glob(FURTHER):
                stale.unlink()
            for page in self._gallery.pages[1:]:
                # The exporter turns each of these into a page, like the notebook.
                piece = self._gallery.further(page)._repr_html_()
                write_bytes(self.run.file(page.file), piece.encode())
        return self._gallery.html()

    def summary(self) -> pd.DataFrame:
        """Measurements of models: one row for each model, video, repeat and scenario."""
        from kairos_lib.results import summary

        return summary.frame(self._data)

    def finish(self) -> Html:
        """Write the numbers as tidy tables beside the report, and the result."""
        from kairos_lib.results import tidy_tables

        tables = {
            "summary": self.summary(),
            "stages": tidy_tables.stages(self._data),
            "quality": tidy_tables.quality(self._data),
        }
        return self._finish(tables, [run.result for run in self._data.runs])


def section(*pieces: Html | None) -> Html:
    """Pieces of a section, or a line saying that there is nothing to show."""
    found = [piece for piece in pieces if piece is not None]
    return joined(*found) if found else Html(Markup('<p class="none">Nothing was measured.</p>'))
