"""A whole page around its pieces: its head, its look, and the policy that only its script runs.

Knows nothing of what the pieces say.
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
"""Nothing is fetched, sent or run."""


def document(title: str, body: Html, contents: Html, scripted: bool = True) -> bytes:
    """A page that stands alone.

    Args:
        title: Of the window.
        body: What is on it.
        contents: Links to its parts or to other pages, for the bar on top.
        scripted: Whether tables can be sorted and scenes filtered. That script is the only one
            that the page lets run; a page without it lets none.
    """
    script = _joined(SCRIPTS) if scripted else ""
    policy = NOTHING_ELSE + (f"; script-src '{_digest(script)}'" if script else "")
    page = render(
        "document",
        title=title,
        body=body,
        contents=contents,
        style=Html(Markup(_joined(STYLES))),
        script=Html(Markup(script)),
        scripted=scripted,
        policy=Markup(policy),
    )
    return str(page.markup).encode()


@cache
def _joined(names: tuple[str, ...]) -> str:
    return "\n".join((TEMPLATES / name).read_text(encoding="utf-8") for name in names)


def _digest(script: str) -> str:
    """A script as a policy names it (W3C, Content Security Policy Level 3, 2.3.1)."""
    return "sha256-" + base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
