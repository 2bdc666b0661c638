"""From the executed analysis notebook to one page that stands alone.

Nothing in the page is fetched from anywhere, and no script runs in it: its own security policy
forbids both.
"""

from __future__ import annotations

import base64
import html
import re
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from kairos_lib.errors import KairosError
from kairos_lib.imports import without_iri_grammar
from kairos_lib.project import Project
from kairos_lib.report.html import TEMPLATES
from kairos_lib.runs import write_bytes

TEMPLATE = "page"
NOTEBOOK_ONLY = "notebook-only"
"""Tag of cells that speak to whoever runs the notebook, not to the reader of the report."""
IMAGES = {
    ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".png": "image/png", ".webp": "image/webp",
    ".gif": "image/gif",
}  # fmt: skip
# A tag's quoted values may hold a `>`.
IMAGE_TAG = re.compile(r"""<img\b(?:[^>"']|"[^"]*"|'[^']*')*>""", re.IGNORECASE)
SOURCE = re.compile(r"""\b(src)\s*=\s*("[^"]*"|'[^']*')""", re.IGNORECASE)
SECOND_HEADING = re.compile(r"<h2>(.*?)</h2>", re.DOTALL)
FIRST_HEADING = re.compile(r"<h1\b[^>]*>(.*?)</h1>", re.DOTALL)
STYLE_OUTPUT = re.compile(r'<style class="kairos-style">.*?</style>', re.DOTALL)
CONTENTS = "<!-- contents -->"
TITLE = "<!-- title -->"


def export(project: Project, executed: Path, index: Path) -> None:
    """Turn an executed notebook into a page.

    Args:
        project: Its runs folder is where pictures may come from.
        executed: The executed notebook; pictures in its outputs are relative to its folder.
        index: The page to write.

    Raises:
        KairosError: The notebook cannot be read, or refers to a picture that is not in the
            runs folder.
    """
    page = _page(executed)
    page = STYLE_OUTPUT.sub("", page)
    page, contents = _with_contents(page)
    page = page.replace(TITLE, _title(page), 1).replace(CONTENTS, contents, 1)
    pictures = _Pictures(project, executed.parent)
    page = IMAGE_TAG.sub(lambda tag: SOURCE.sub(pictures.inlined, tag[0], count=1), page)
    write_bytes(index, page.encode())


def _page(executed: Path) -> str:
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
    styles = [TEMPLATES / "components.css", TEMPLATES / TEMPLATE / "page.css"]
    resources: dict[str, Any] = {
        "kairos_css": "\n".join(path.read_text(encoding="utf-8") for path in styles)
    }
    page, _ = exporter.from_notebook_node(notebook, resources)
    return str(page)


def _title(page: str) -> str:
    """The page's first heading, for the window."""
    heading = FIRST_HEADING.search(page)
    return _text(heading[1]) if heading else "Kairos report"


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
    """What is written in a heading, without its tags; still escaped."""
    return re.sub(r"<[^>]*>", "", markup).strip()


class _Pictures:
    """Puts pictures into the page, each file read once."""

    def __init__(self, project: Project, folder: Path) -> None:
        self._runs = project.runs.resolve()
        self._folder = folder
        self._known: dict[Path, str] = {}

    def inlined(self, attribute: re.Match[str]) -> str:
        """The `src` attribute with the picture itself in it."""
        source = html.unescape(attribute[2][1:-1])
        if source.startswith("data:image/"):
            return attribute[0]
        path = (self._folder / unquote(source)).resolve()
        kind = IMAGES.get(path.suffix.lower())
        # Links are followed first, so that none leads out of the folder.
        if kind is None or not path.is_relative_to(self._runs) or not path.is_file():
            raise KairosError(
                f"the report refers to the picture '{source}', which is not an image file in "
                f"{self._runs.name}/: run the analysis notebook again"
            )
        if path not in self._known:
            content = base64.b64encode(path.read_bytes()).decode()
            self._known[path] = f"data:{kind};base64,{content}"
        return f'src="{self._known[path]}"'
