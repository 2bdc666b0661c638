"""A whole page around its pieces: head, style, and a policy that lets only its script run.

Does not know what the pieces say.
"""

from __future__ import annotations

import base64
import hashlib
from functools import cache

from markupsafe import Markup

from kairos_lib.report.page.html import TEMPLATES, Html, render

STYLES = ("components.css", "page/page.css")
SCRIPTS = ("sort.js", "filter.js")
NOTHING_ELSE = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; "
    "form-action 'none'"
)
"""Nothing is loaded, sent or run."""


def document(
    title: str,
    body: Html,
    contents: Html,
    scripts: tuple[str, ...] = SCRIPTS,
    styles: tuple[str, ...] = STYLES,
) -> bytes:
    """A self-contained page.

    Args:
        title: Window title.
        body: Content of the page.
        contents: Links to its parts or to other pages, for the bar at the top.
        scripts: Files of `template/`; by default those by which tables are sorted and scenes
            filtered. The page allows only these; a page without any allows none.
        styles: Files of `template/`.
    """
    script = _joined(scripts)
    policy = NOTHING_ELSE + (f"; script-src '{_digest(script)}'" if script else "")
    page = render(
        "document",
        title=title,
        body=body,
        contents=contents,
        style=Html(Markup(_joined(styles))),
        script=Html(Markup(script)),
        scripted=bool(scripts),
        policy=Markup(policy),
    )
    return str(page.markup).encode()


@cache
def _joined(names: tuple[str, ...]) -> str:
    return "\n".join((TEMPLATES / name).read_text(encoding="utf-8") for name in names)


def _digest(script: str) -> str:
    """A script's hash as a policy names it (W3C, Content Security Policy Level 3, 2.3.1)."""
    return "sha256-" + base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
