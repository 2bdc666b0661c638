"""The executed notebooks as pages beside the report: how its numbers were made.

Does not know what notebooks do.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup

from kairos_lib.events.planned import PlannedEvents
from kairos_lib.formats import MISSING
from kairos_lib.project import Project, slug
from kairos_lib.report.page.document import document
from kairos_lib.report.page.html import Html, render
from kairos_lib.report.page.outputs import Cell, cells_of
from kairos_lib.report.sections.tables import MODEL, VIDEO, Column, table
from kairos_lib.results import suite as suites
from kairos_lib.results.step_runs import BaseRun, StepRun, VlmRun
from kairos_lib.results.suite import SuiteData
from kairos_lib.runs.files import write_bytes
from kairos_lib.runs.manifest import Manifest
from kairos_lib.runs.run import EXECUTED

FOLDER = "notebooks"
"""Beside the report."""
ANALYSIS = "analysis.html"


def analysis_notebook(plan: Manifest) -> str:
    """The notebook that shows what a suite came to: of events, where it captions nothing."""
    only_events = bool(plan.of(PlannedEvents)) and not plan.runs
    return "events-analysis.ipynb" if only_events else "analysis.ipynb"


@dataclass(frozen=True)
class Executed:
    """A notebook that was run."""

    title: str
    notebook: str
    model: str
    video: str
    repeat: str
    path: Path
    file: str
    """Name of its page in `FOLDER`."""
    problem: str = ""
    """Why it has no page."""


def notebooks(suite: SuiteData) -> list[Executed]:
    """The notebooks of a suite's runs, in the order in which they were planned."""
    found: list[Executed] = []
    taken: set[str] = {ANALYSIS}
    for run in (*suite.bases, *suite.runs, *suite.further):
        video = suite.video_title(run.planned.video)
        model = repeat = ""
        if isinstance(run, BaseRun):
            title, notebook = f"Base processing of {video}", "base.ipynb"
            name = f"base--{slug(run.planned.video)}"
        elif isinstance(run, VlmRun):
            planned = run.planned
            model, repeat = planned.model_title, f"{planned.repeat}"
            title, notebook = f"{model} on {video}, round {repeat}", "vlm.ipynb"
            name = f"{slug(planned.model)}--{slug(planned.video)}--r{planned.repeat:03d}"
        else:
            title = notebook = run.planned.in_words or run.planned.kind
            name = f"{slug(run.planned.kind)}--{slug(run.planned.video)}"
        # Names that differ can have the same slug.
        file, count = f"{name}.html", 1
        while file in taken:
            count += 1
            file = f"{name}--{count}.html"
        taken.add(file)
        path = run.folder / EXECUTED
        # For a run by hand, the file there is from an earlier attempt.
        there = path.is_file() and not run.by_hand
        problem = "" if there else _why_missing(run)
        found.append(Executed(title, notebook, model, video, repeat, path, file, problem))
    return found


def _why_missing(run: StepRun) -> str:
    if run.outcome.state == "not run":
        return "not run"
    return "run by hand" if run.by_hand else "not there"


def notebooks_list(suite: SuiteData) -> Html | None:
    """Every executed notebook, with a link to its page."""
    columns = (
        Column("Notebook", number=False), MODEL, VIDEO, Column("Round"),
        Column("Page", number=False),
    )  # fmt: skip
    rows = [
        (
            one.notebook,
            one.model or MISSING,
            one.video,
            one.repeat or MISSING,
            f"{MISSING} {one.problem}" if one.problem else _link(one.file, "as it was run"),
        )
        for one in notebooks(suite)
    ]
    notebook = analysis_notebook(suite.manifest)
    analysis = (notebook, MISSING, MISSING, MISSING, _link(ANALYSIS, "as it was run"))
    return table("Executed notebooks", columns, [*rows, analysis]) if rows else None


def _link(file: str, text: str) -> Html:
    return render("link", target=f"{FOLDER}/{file}", text=text)


def export_notebooks(project: Project, suite: str, analysis: Path, reports: Path) -> None:
    """Make a page of each executed notebook of a suite.

    Args:
        project: Its root is left out of the pages: the location of a checkout is private.
        suite: The suite's name.
        analysis: The executed analysis notebook. Its output is the report itself, so its own page
            has only its prose and code.
        reports: The folder of the report; pages go to `FOLDER` in it, and other files there are
            removed.
        KairosError: No such suite has been run.
    """
    data = suites.read(project, suite)
    folder = reports / FOLDER
    last = Executed(
        f"Analysis of {data.manifest.title}",
        analysis_notebook(data.manifest),
        "",
        "",
        "",
        analysis,
        ANALYSIS,
    )
    made = set()
    for one in [*(one for one in notebooks(data) if not one.problem), last]:
        page = _page(project, one, outputs=one is not last)
        write_bytes(folder / one.file, page)
        made.add(folder / one.file)
    for stale in set(folder.glob("*.html")) - made:
        stale.unlink()


def _page(project: Project, one: Executed, outputs: bool) -> bytes:
    try:
        cells = list(cells_of(one.path, project.root, outputs))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        # A damaged notebook must not prevent the report.
        message = f"This notebook cannot be read ({type(error).__name__})."
        cells = [Cell(None, "", (render("text", kind="error", text=message),))]
    body = render("notebook", title=one.title, notebook=one.notebook, cells=cells)
    contents = Html(Markup('<ol><li><a href="../index.html">The report</a></li></ol>'))
    return document(one.title, Html(Markup(body._repr_html_())), contents, scripts=())
