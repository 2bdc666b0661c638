"""The executed notebooks as pages beside the report."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import nbformat
import pytest
from helpers.suites import SuiteMaker
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from kairos_lib.report.executed import export_notebooks, notebooks, notebooks_list
from kairos_lib.report.page.outputs import bare, printed, without_root
from kairos_lib.results import suite
from kairos_lib.runs.journal import Journal
from kairos_lib.runs.run import EXECUTED
from kairos_lib.vlm.records import Caption
from kairos_lib.vlm.tables import captions_table

HOSTILE = "<script>alert('x')</script>"


def write(
    folder: Path, *outputs: Any, prose: str = "## Load", code: str = "session.load()"
) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    cells = [new_markdown_cell(prose), new_code_cell(code, outputs=list(outputs))]
    nbformat.write(new_notebook(cells=cells), folder / EXECUTED)


def shown(**data: str) -> Any:
    kinds = {name.replace("_", "/"): value for name, value in data.items()}
    return new_output("execute_result", data=kinds)


def pages(maker: SuiteMaker) -> dict[str, str]:
    """Every page that is made, by its name."""
    project = maker.write()
    analysis = project.runs / "analysis" / "demo" / "k"
    write(analysis, shown(text_html="<p>the report</p>"), code="report.overview()")
    reports = project.reports / "demo"
    export_notebooks(project, "demo", analysis / EXECUTED, reports)
    return {path.name: path.read_text() for path in (reports / "notebooks").iterdir()}


def test_each_run_has_a_page_with_its_code_and_what_it_showed(maker: SuiteMaker) -> None:
    write(maker.base(), shown(text_plain="12 scenes"), code="session.process()")
    write(maker.done(), shown(text_plain="'Loaded in 3 s'"), prose="## Load & *warm up*")
    made = pages(maker)
    assert set(made) == {"base--match.html", "small--match--r001.html", "analysis.html"}
    page = made["small--match--r001.html"]
    assert "<h1>Small on Match, round 1</h1>" in page
    assert "session.load()" in page
    assert "&#39;Loaded in 3 s&#39;" in page
    assert "<h2>Load &amp; <em>warm up</em></h2>" in page
    assert "12 scenes" in made["base--match.html"]
    # Nothing runs, nothing is fetched.
    assert "default-src 'none'" in page
    assert "script-src" not in page
    assert "<script" not in page


def test_the_report_links_to_each_page_and_says_why_there_is_none(maker: SuiteMaker) -> None:
    write(maker.base())
    write(maker.done())
    by_hand = maker.done("hand", "Hand")
    (by_hand / "status.json").unlink()
    write(by_hand)
    maker.plan("never", "Never", problem="base processing failed")
    maker.failed()
    data = suite.read(maker.write(), "demo")
    listed = notebooks_list(data)
    assert listed is not None
    text = str(listed.markup)
    assert 'href="notebooks/base--match.html"' in text
    assert 'href="notebooks/small--match--r001.html"' in text
    assert 'href="notebooks/analysis.html"' in text
    assert text.count("href=") == 3
    for reason in ("run by hand", "not run", "not there"):
        assert f"— {reason}" in text


def test_a_suite_that_planned_nothing_lists_no_notebooks(maker: SuiteMaker) -> None:
    assert notebooks_list(suite.read(maker.write(), "demo")) is None


def test_names_that_are_alike_have_pages_of_their_own(maker: SuiteMaker) -> None:
    maker.base()
    for model in ("a_b", "a-b", "A.b", "..etc"):
        write(maker.done(model, model))
    data = suite.read(maker.write(), "demo")
    files = [one.file for one in notebooks(data)]
    assert len(files) == len(set(files)) == 5
    assert all("/" not in file and ".." not in file for file in files)


def test_hostile_outputs_are_text(maker: SuiteMaker) -> None:
    maker.base()
    write(
        maker.done(title=f"Small {HOSTILE}"),
        shown(text_html=f"<table onclick=x><tr><td>{HOSTILE}</td></tr></table>"),
        shown(text_html='<a href="javascript:x">a</a><iframe src=//evil.example></iframe>'),
        shown(text_markdown=f"**bold** {HOSTILE}"),
        shown(image_png='"><script>', text_plain=HOSTILE),
        new_output("stream", name="stdout", text=HOSTILE),
        new_output("error", ename="E", evalue=HOSTILE, traceback=[HOSTILE]),
        prose=f"# {HOSTILE}",
        code=f"# {HOSTILE}",
    )
    page = pages(maker)["small--match--r001.html"]
    tags = Tags(page)
    assert not tags.found & {"script", "iframe", "svg", "object", "link"}
    assert not {name for name in tags.attributes if name.startswith("on")}
    assert "bold" in page
    assert "evil.example" in page


class Tags(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: set[str] = set()
        self.attributes: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.add(tag)
        self.attributes.update(name for name, _ in attrs)


def test_where_a_checkout_lies_is_left_out(maker: SuiteMaker) -> None:
    root = maker.project.root
    maker.base()
    write(
        maker.done(),
        new_output("stream", name="stderr", text=f"{root}/.venv/x.py: a warning\nin {root}\n"),
        new_output("error", ename="E", evalue="", traceback=[f"File {root}/kairos_lib/a.py"]),
        shown(text_html=f"<td>{root}/videos/x.mp4</td>"),
        code=f"open('{root}/x')",
    )
    page = pages(maker)["small--match--r001.html"]
    assert str(root) not in page
    assert ".venv/x.py: a warning\nin .\n" in page
    assert "File kairos_lib/a.py" in page
    assert "<td>videos/x.mp4</td>" in page


def test_only_whole_paths_are_made_relative() -> None:
    text = "/a/b/c /a/bc /x/a/b/c /a/b"
    assert without_root(text, Path("/a/b")) == "c /a/bc /x/a/b/c ."


def test_a_notebook_that_is_spoilt_says_so_and_the_others_are_made(maker: SuiteMaker) -> None:
    (maker.base() / EXECUTED).write_text("{")
    write(maker.done())
    made = pages(maker)
    assert "This notebook cannot be read" in made["base--match.html"]
    assert "session.load()" in made["small--match--r001.html"]


def test_the_analysis_shows_its_code_and_points_to_the_report(maker: SuiteMaker) -> None:
    maker.base()
    maker.done()
    page = pages(maker)["analysis.html"]
    assert "report.overview()" in page
    assert "<p>the report</p>" not in page
    assert 'href="../index.html"' in page


def test_pages_of_runs_that_are_no_longer_in_the_suite_are_removed(maker: SuiteMaker) -> None:
    write(maker.base())
    write(maker.done())
    assert "small--match--r001.html" in pages(maker)
    maker.runs.clear()
    assert set(pages(maker)) == {"base--match.html", "analysis.html"}


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("<b>bold</b> & <i onclick=x>thin</i>", "<b>bold</b> &amp; <i>thin</i>"),
        ("<style>td { color: red }</style><td>x</td>", "<td>x</td>"),
        ("a<br/>b", "a<br>b"),
        ("&lt;b&gt;", "&lt;b&gt;"),
        ("<!-- hidden -->x", "x"),
        ("1 < 2", "1 &lt; 2"),
    ],
)
def test_of_html_only_bare_tags_are_kept(given: str, kept: str) -> None:
    assert str(bare(given).markup) == kept


def test_what_a_terminal_shows_in_the_end_is_shown() -> None:
    assert printed("\x1b[31mred\x1b[0m 10%\rred 100%\ndone\r\n") == "red 100%\ndone\r\n"


def test_captions_in_a_notebook_are_escaped(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "captions.jsonl", Caption)
    journal.append(Caption(scene=0, text=HOSTILE))
    journal.append(Caption(scene=1, text="", error=HOSTILE))
    shown = captions_table(journal)._repr_html_()
    assert "<script" not in shown
    assert shown.count("&lt;script&gt;") == 2
