"""Outputs of an executed notebook's cells as inert pieces of a page.

Of HTML only bare tags are kept; everything else becomes text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from markupsafe import Markup, escape

from kairos_lib.lean_imports import without_iri_grammar
from kairos_lib.report.page.html import Html, render

KEPT_TAGS = frozenset(
    ("b", "blockquote", "br", "caption", "code", "dd", "div", "dl", "dt", "em", "h1", "h2", "h3",
     "h4", "h5", "h6", "hr", "i", "li", "ol", "p", "pre", "s", "small", "span", "strong", "sub",
     "sup", "table", "tbody", "td", "tfoot", "th", "thead", "tr", "u", "ul")
)  # fmt: skip
"""Tags that mark up text and do nothing else; attributes are not kept."""
VOID_TAGS = frozenset({"br", "hr"})
ANSI = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]")
"""Terminal colour codes (ECMA-48, 5.4: control sequences)."""
OVERWRITTEN = re.compile(r"[^\n]*\r(?!\n)")
"""Text that a progress bar overwrote."""


@dataclass(frozen=True)
class Cell:
    """What a page shows of one cell."""

    prose: Html | None
    code: str
    shown: tuple[Html, ...]


def cells_of(path: Path, root: Path, outputs: bool) -> Iterator[Cell]:
    """The cells of an executed notebook.

    Args:
        path: The notebook.
        root: The checkout, whose path is left out.
        outputs: Whether to include what cells showed.

    Raises:
        OSError, ValueError: It cannot be read as a notebook.
    """
    without_iri_grammar()
    import nbformat

    read: Any = nbformat.read
    for cell in read(path, as_version=4).cells:
        if cell.cell_type == "markdown":
            yield Cell(_prose(without_root(cell.source, root)), "", ())
        elif cell.cell_type == "code":
            shown = [_shown(output, root) for output in cell.outputs] if outputs else []
            if cell.outputs and not outputs:
                shown.append(render("in_report"))
            yield Cell(None, without_root(cell.source, root), tuple(filter(None, shown)))


def _shown(output: Any, root: Path) -> Html | None:
    """One output of a cell; None if a page cannot show its kind."""

    def text(kind: str, written: str) -> Html:
        return render("text", kind=kind, text=without_root(printed(written), root))

    if output.output_type == "stream":
        return text(output.name, output.text)
    if output.output_type == "error":
        return text("error", "\n".join(output.traceback) or f"{output.ename}: {output.evalue}")
    data = output.data
    for kind in ("image/png", "image/jpeg"):
        if kind in data:
            return render("drawn", kind=kind, data=data[kind].replace("\n", ""))
    if "text/html" in data:
        return bare(without_root(data["text/html"], root))
    if "text/markdown" in data:
        return _prose(without_root(data["text/markdown"], root))
    return text("plain", data["text/plain"]) if "text/plain" in data else None


def _prose(markdown: str) -> Html:
    from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath

    renderer = IPythonRenderer(exclude_anchor_links=True)
    return bare(MarkdownWithMath(renderer=renderer).render(markdown))


def without_root(text: str, root: Path) -> str:
    """A text with paths made relative to a checkout, and those of its user to `~`."""
    for folder, instead in ((root, ""), (Path.home(), "~/")):
        if len(folder.parts) > 1:
            path = rf"(?<![\w.-]){re.escape(str(folder))}"
            text = re.sub(f"{path}/", instead, text)
            text = re.sub(rf"{path}(?![\w.-])", instead.rstrip("/") or ".", text)
    return text


def printed(text: str) -> str:
    """Final state of printed text as in a terminal: no colours, nothing that was overwritten."""
    return OVERWRITTEN.sub("", ANSI.sub("", text))


def bare(markup: str) -> Html:
    """Reduce HTML to tags that mark up text; everything else becomes text.

    The result consists of `KEPT_TAGS` without attributes and escaped text, whatever the input.
    """
    parser = _Bare()
    parser.feed(markup)
    parser.close()
    return Html(Markup("".join(parser.pieces)))


class _Bare(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.pieces: list[str] = []
        self._in_style = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "style":
            self._in_style = True
        elif tag in KEPT_TAGS:
            self.pieces.append(f"<{tag}>")
        else:
            self.pieces.append(escape(self.get_starttag_text() or ""))

    def handle_endtag(self, tag: str) -> None:
        if tag == "style":
            self._in_style = False
        elif tag not in VOID_TAGS:
            self.pieces.append(f"</{tag}>" if tag in KEPT_TAGS else escape(f"</{tag}>"))

    def handle_data(self, data: str) -> None:
        if not self._in_style:
            self.pieces.append(escape(data))
