"""Pieces of a page. Values are escaped unless they are pieces themselves."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

if TYPE_CHECKING:
    from jinja2 import Environment

TEMPLATES = Path(__file__).parent / "template"


@dataclass(frozen=True)
class Html:
    """A piece of HTML that notebooks display as HTML."""

    markup: Markup

    def __html__(self) -> str:
        """Lets templates insert it unescaped."""
        return str(self.markup)

    def __repr__(self) -> str:
        """Short: notebooks store this beside the HTML."""
        return f"<{len(self.markup)} characters of HTML>"

    def _repr_html_(self) -> str:
        return f'<div class="kairos">{self.markup}</div>'


@cache
def _environment() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    from kairos_lib import formats

    environment = Environment(
        loader=FileSystemLoader(TEMPLATES / "fragments"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        as_length=formats.length, time_code=formats.time_code, factor=formats.factor
    )
    return environment


def render(template: str, **values: Any) -> Html:
    """Fill in a template of `template/fragments/`."""
    return Html(Markup(_environment().get_template(f"{template}.html.j2").render(**values)))


def joined(*pieces: Html | None) -> Html:
    """Pieces one after the other; None is skipped."""
    return Html(Markup("\n").join(piece.markup for piece in pieces if piece is not None))


def style() -> Html:
    """The style of all pieces, for a notebook; the exported page has it in its head."""
    css = (TEMPLATES / "components.css").read_text(encoding="utf-8")
    return Html(Markup('<style class="kairos-style">') + Markup(css) + Markup("</style>"))
