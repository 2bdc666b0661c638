"""The analysis notebook, executed, and the page it becomes."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import nbformat
import pandas as pd
import papermill
import pytest
from helpers.suites import SuiteMaker
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from kairos_lib import analyzers
from kairos_lib.errors import KairosError
from kairos_lib.project import Project
from kairos_lib.report import report_session
from kairos_lib.report.export import export
from kairos_lib.report.report_session import AnalysisResult, ReportSession, analysis_run
from kairos_lib.runs.manifest import PlannedBase
from kairos_lib.runs.run import Run
from kairos_lib.vlm.records import Caption

HOSTILE = "<script>alert('x')</script><img src=//evil.example/x onerror=alert(1)>"


class Page(HTMLParser):
    """What a browser would find in a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.ids: list[str] = []
        self.shown = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self.ids.extend(value for name, value in attrs if name == "id" and value)

    def handle_data(self, data: str) -> None:
        self.shown += data

    def values(self, name: str) -> list[str]:
        return [attrs[name] or "" for _, attrs in self.tags if name in attrs]


def execute(project: Project, monkeypatch: pytest.MonkeyPatch) -> tuple[Run, Path]:
    """Run the notebook as the runner does, and export it."""
    run = analysis_run(project, "demo")
    run.create()
    monkeypatch.setenv("KAIROS_ROOT", str(project.root))
    monkeypatch.setenv("KAIROS_NOTEBOOK_FOLDER", str(run.folder))
    executed = run.file("analysis.ipynb")
    papermill.execute_notebook(
        project.notebooks / "analysis.ipynb", executed, {"suite": "demo"}, progress_bar=False
    )
    index = project.reports / "demo" / "index.html"
    export(project, executed, index)
    return run, index


def test_the_executed_notebook_becomes_one_page_that_stands_alone(
    maker: SuiteMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    maker.base(title=f"Match {HOSTILE}", scenes=3, scene_s=10)
    captions = [f"A ball. {HOSTILE}", "A goal.", Caption(scene=2, text="", error=HOSTILE)]
    maker.done(title=f"Small {HOSTILE}", captions=captions, transcript=HOSTILE, time_s=15)
    maker.done(model="nano", title="Nano", weights_source="nano", time_s=60, parts=2)
    maker.failed(message=f"CUDA out of memory {HOSTILE}")
    project = maker.write(title=f"Demo {HOSTILE}")
    run, index = execute(project, monkeypatch)

    text = index.read_text(encoding="utf-8")
    page = Page(text)
    # Nothing is fetched: every source is in the page, every link stays beside it.
    assert all(source.startswith("data:image/") for source in page.values("src"))
    assert len(page.values("src")) == 7
    beside = r"#|(summary|stages|quality)\.(csv|parquet)$|notebooks/analysis\.html$"
    assert all(re.match(beside, link) for link in page.values("href"))
    assert not {tag for tag, _ in page.tags} & {"link", "iframe", "object", "base"}
    assert [attrs for tag, attrs in page.tags if tag == "script"] == [{}]
    assert not re.search(r"@import|url\(\s*['\"]?(?!#)", text)
    assert not [name for _, attrs in page.tags for name in attrs if name.startswith("on")]
    # Each link leads somewhere, and each place has one name.
    assert len(page.ids) == len(set(page.ids))
    assert {link[1:] for link in page.values("href") if link.startswith("#")} <= set(page.ids)
    # What is told is right, what failed is shown, and labels are there.
    assert "0.50x" in page.shown
    assert "2.0x" in page.shown
    assert f"CUDA out of memory {HOSTILE}" in page.shown
    assert "nano model outside its world: captions mean nothing" in page.shown
    assert f"A ball. {HOSTILE}" in page.shown
    # The reader sees a report, not a notebook.
    assert "ReportSession" not in text
    assert "run all cells" not in page.shown
    assert str(project.root) not in text
    # The pictures are in the page alone.
    notebook = run.file("analysis.ipynb").read_text(encoding="utf-8")
    assert "base64" not in notebook

    assert run.result(AnalysisResult) == AnalysisResult(key=run.key, suite="demo", runs=3, failed=1)
    numbers = pd.read_parquet(index.with_name("summary.parquet"))
    assert len(numbers) == len(pd.read_csv(index.with_name("summary.csv"))) == 6
    assert sorted(numbers["rtf"].dropna()) == [0.5, 0.7, 2.0, 2.8]


def test_the_notebook_is_thin_and_holds_no_outputs() -> None:
    source = Path(__file__).parents[2] / "notebooks" / "analysis.ipynb"
    notebook = nbformat.read(source, as_version=4)
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert all(not cell.outputs and cell.execution_count is None for cell in code)
    assert all(len(cell.source.splitlines()) <= 4 for cell in code)
    assert code[0].metadata.tags == ["parameters"]
    assert code[-1].source == "report.finish()"


def test_a_plan_can_ask_for_the_run_without_heavy_imports() -> None:
    code = (
        "import sys, kairos_lib.report.report_session\n"
        "print({'pandas', 'matplotlib', 'jinja2', 'nbconvert', 'torch'} & set(sys.modules))"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert answer.stdout.strip() == "set()", answer.stderr


def test_an_unchanged_suite_has_the_same_analysis_run(maker: SuiteMaker) -> None:
    maker.base()
    maker.done()
    project = maker.write()
    assert analysis_run(project, "demo") == analysis_run(project, "demo")
    assert analysis_run(project, "demo").folder.parent == project.runs / "analysis" / "demo"


@pytest.mark.parametrize("what", ["result", "status", "title", "prose", "code"])
def test_whatever_the_report_shows_makes_a_new_analysis_run(maker: SuiteMaker, what: str) -> None:
    maker.base()
    folder = maker.done()
    project = maker.write()
    before = analysis_run(project, "demo").key
    notebook = project.notebooks / "analysis.ipynb"
    if what in ("result", "status"):
        path = folder / f"{what}.json"
        path.write_text(path.read_text() + "\n")
    elif what == "title":
        maker.write(title="Another title")
    else:
        cells = json.loads(notebook.read_text())
        kind = {"prose": "markdown", "code": "code"}[what]
        cell = [cell for cell in cells["cells"] if cell["cell_type"] == kind][-1]
        cell["source"].append(" ")
        notebook.write_text(json.dumps(cells))
    assert analysis_run(project, "demo").key != before


@pytest.mark.parametrize(
    "file", ["formats.py", "analyzers/speech/segment.py", "report/page/template/page.css", "own.py"]
)
def test_whatever_code_makes_a_report_makes_a_new_analysis_run(
    maker: SuiteMaker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: str
) -> None:
    """Formats of numbers, what analyzers show of a scene, the look, and analyzers of one's own."""
    maker.base()
    maker.done()
    project = maker.write()
    package, own = tmp_path / "package", tmp_path / "own"
    own.mkdir()
    monkeypatch.setattr(report_session, "PACKAGE", package)
    monkeypatch.setattr(analyzers, "OWN_FOLDERS", [str(own)])
    path = own / file if file == "own.py" else package / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("before")
    before = analysis_run(project, "demo").key
    path.write_text("after")
    assert analysis_run(project, "demo").key != before


def test_what_the_notebook_printed_does_not_make_a_new_analysis_run(maker: SuiteMaker) -> None:
    maker.base()
    maker.done()
    project = maker.write()
    before = analysis_run(project, "demo").key
    path = project.notebooks / "analysis.ipynb"
    notebook = json.loads(path.read_text())
    notebook["cells"][1]["outputs"] = [{"output_type": "stream", "name": "stdout", "text": "x"}]
    path.write_text(json.dumps(notebook))
    assert analysis_run(project, "demo").key == before


@pytest.mark.parametrize("name", ["dmeo", "../suites/demo", ""])
def test_an_unknown_suite_is_one_clear_line(maker: SuiteMaker, name: str) -> None:
    maker.base()
    maker.done()
    with pytest.raises(KairosError, match=r"no suite '.*' has been run"):
        ReportSession(maker.write(), name)


SECTIONS = (
    "overview", "end_to_end", "time_parts", "anomalies", "quality", "memory", "models", "stages",
    "provenance", "scenes",
)  # fmt: skip


@pytest.mark.parametrize("planned", ["nothing", "a failure", "a video that is missing"])
def test_a_suite_without_any_result_has_its_report_all_the_same(
    maker: SuiteMaker, monkeypatch: pytest.MonkeyPatch, planned: str
) -> None:
    if planned == "a failure":
        maker.base()
        maker.failed()
    if planned == "a video that is missing":
        maker.bases.append(
            PlannedBase(video="gone", title="Gone", folder="", problem="gone.mp4 is not there")
        )
        maker.plan(video="gone", problem="its video could not be read")
    maker.write()
    monkeypatch.setenv("KAIROS_ROOT", str(maker.project.root))
    report = ReportSession.open("demo")
    page = "".join(getattr(report, section)()._repr_html_() for section in SECTIONS)
    report.finish()
    assert planned == "nothing" or "out of memory" in page or "gone.mp4 is not there" in page
    numbers = pd.read_parquet(maker.project.reports / "demo" / "summary.parquet")
    assert len(numbers) == (0 if planned == "nothing" else 2)
    assert numbers.dtypes["time_s"] == "float64"


def exported(maker: SuiteMaker, *cells: nbformat.NotebookNode) -> str:
    """A hand-made notebook in a run folder, as a page."""
    executed = maker.project.runs / "analysis" / "demo" / "k" / "analysis.ipynb"
    executed.parent.mkdir(parents=True)
    nbformat.write(new_notebook(cells=list(cells)), executed)
    index = maker.project.reports / "demo" / "index.html"
    export(maker.project, executed, index)
    return index.read_text(encoding="utf-8")


def displayed(**data: str) -> nbformat.NotebookNode:
    kinds = {name.replace("_", "/"): value for name, value in data.items()}
    return new_code_cell("secret_code()", outputs=[new_output("display_data", data=kinds)])


@pytest.mark.parametrize(
    "source",
    [
        "../../../../secret.jpg",
        "../../../../notebooks/secret.jpg",
        "../../../secret.txt",
        "../../../linked.jpg",
        "../../../absent.jpg",
        "/etc/hostname",
        "https://example.org/x.png",
        "file:///etc/hostname",
    ],
)
def test_only_pictures_of_the_runs_folder_get_into_the_page(maker: SuiteMaker, source: str) -> None:
    root = maker.project.root
    for path in ("secret.jpg", "notebooks/secret.jpg", "runs/secret.txt"):
        (root / path).parent.mkdir(exist_ok=True)
        (root / path).write_bytes(b"secret")
    (root / "runs" / "linked.jpg").symlink_to(root / "secret.jpg")
    with pytest.raises(KairosError, match="not an image file in runs/"):
        exported(maker, displayed(text_html=f'<img alt="a > b" src="{source}">'))
    assert not (maker.project.reports / "demo" / "index.html").exists()


def test_a_failed_cell_is_told_without_its_traceback(maker: SuiteMaker) -> None:
    error = new_output(
        "error", ename="ValueError", evalue="<b>wrong</b>", traceback=["File /somewhere/x.py"]
    )
    text = exported(maker, new_code_cell("1 / 0", outputs=[error]))
    assert "ValueError: &lt;b&gt;wrong&lt;/b&gt;" in text
    assert "/somewhere" not in text


def test_what_a_cell_prints_is_left_out(maker: SuiteMaker) -> None:
    printed = new_output("stream", name="stderr", text="a warning of some library")
    text = exported(maker, new_code_cell("f()", outputs=[printed]), displayed(text_plain="<42>"))
    assert "a warning" not in text
    assert "&lt;42&gt;" in text
    assert "secret_code" not in text


def test_sections_are_listed_in_the_contents(maker: SuiteMaker) -> None:
    text = exported(maker, new_markdown_cell("## One & two"), new_markdown_cell("## Three"))
    assert '<li><a href="#section-1">One &amp; two</a></li>' in text
    assert '<h2 id="section-2">Three</h2>' in text


def test_the_page_lets_no_script_run_but_its_own(maker: SuiteMaker) -> None:
    text = exported(maker, displayed(text_html="<p>hello</p><script>alert(1)</script>"))
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', text)
    assert policy is not None
    rules = dict(rule.strip().split(" ", 1) for rule in policy[1].split(";"))
    own = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)[-1]
    digest = base64.b64encode(hashlib.sha256(own.encode()).digest()).decode()
    assert rules["default-src"] == "'none'"
    assert rules["script-src"] == f"'sha256-{digest}'"
