"""From the executed analysis notebook to self-contained pages.

A page loads nothing from anywhere, and runs no script but its own: its security policy forbids
both.
"""

from __future__ import annotations

import html
import re
from pathlib import Path

from markupsafe import Markup

from kairos_lib.errors import KairosError
from kairos_lib.lean_imports import without_iri_grammar
from kairos_lib.project import Project
from kairos_lib.report.page.document import document
from kairos_lib.report.page.html import TEMPLATES, Html
from kairos_lib.report.pictures import Pictures
from kairos_lib.runs.files import write_bytes

TEMPLATE = "page"
NOTEBOOK_ONLY = "notebook-only"
"""Tag of cells addressed to the person running the notebook, not to the report's reader."""
FURTHER = "scenes-*.html"
"""Scenes beyond the report's first page: pieces beside the notebook, pages beside the report."""
SECOND_HEADING = re.compile(r"<h2>(.*?)</h2>", re.DOTALL)
FIRST_HEADING = re.compile(r"<h1\b[^>]*>(.*?)</h1>", re.DOTALL)
STYLE_OUTPUT = re.compile(r'<style class="kairos-style">.*?</style>', re.DOTALL)


def export(project: Project, executed: Path, index: Path) -> None:
    """Turn an executed notebook, and the further scenes beside it, into pages.

    Args:
        project: Its runs folder is where pictures may come from.
        executed: The executed notebook; pictures in its outputs are relative to its folder.
        index: The page to write. Further ones are written into its folder first; those left there
            by an earlier report are removed.

    Raises:
        KairosError: The notebook cannot be read, or refers to a picture that is not in the
            runs folder.
    """
    body = STYLE_OUTPUT.sub("", _body(executed))
    body, contents = _with_contents(body)
    pieces = sorted(executed.parent.glob(FURTHER), key=lambda path: (len(path.name), path.name))
    for piece in pieces:
        back = f'<ol><li><a href="{index.name}">The report</a></li></ol>'
        page = _page(project, piece, piece.read_text(encoding="utf-8"), back)
        write_bytes(index.with_name(piece.name), page)
    page = _page(project, executed, body, contents)
    for stale in set(index.parent.glob(FURTHER)) - {index.with_name(p.name) for p in pieces}:
        stale.unlink()
    write_bytes(index, page)


def _page(project: Project, source: Path, body: str, contents: str) -> bytes:
    return document(
        title=_title(body),
        # Pictures are inlined page by page: together they can be many.
        body=Html(Markup(Pictures(project, source.parent).inlined(body))),
        contents=Html(Markup(contents)),
    )


def _body(executed: Path) -> str:
    without_iri_grammar()
    import nbformat
    from nbconvert import HTMLExporter
    from traitlets.config import Config

    try:
        notebook = nbformat.read(executed, as_version=4)  # type: ignore[no-untyped-call]
    except (OSError, ValueError) as error:
        raise KairosError(f"{executed}: cannot be read as a notebook ({error})") from error
    notebook.cells = [
        cell for cell in notebook.cells if NOTEBOOK_ONLY not in cell.metadata.get("tags", [])
    ]
    config = Config()
    config.HTMLExporter.exclude_anchor_links = True
    exporter = HTMLExporter(  # type: ignore[no-untyped-call]
        config=config, template_name=TEMPLATE, extra_template_basedirs=[str(TEMPLATES)]
    )
    body, _ = exporter.from_notebook_node(notebook)
    return str(body)


def _title(page: str) -> str:
    """The page's first heading, for the window."""
    heading = FIRST_HEADING.search(page)
    return html.unescape(_text(heading[1])) if heading else "Kairos report"


def _with_contents(page: str) -> tuple[str, str]:
    """Give each section's heading an id, and list links to them."""
    links: list[str] = []

    def anchored(heading: re.Match[str]) -> str:
        anchor = f"section-{len(links) + 1}"
        links.append(f'<li><a href="#{anchor}">{_text(heading[1])}</a></li>')
        return f'<h2 id="{anchor}">{heading[1]}</h2>'

    page = SECOND_HEADING.sub(anchored, page)
    return page, f"<ol>{''.join(links)}</ol>" if links else ""


def _text(markup: str) -> str:
    """The text of a heading, without its tags; still escaped."""
    return re.sub(r"<[^>]*>", "", markup).strip()
