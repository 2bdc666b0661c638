"""Avoids costly work that other packages do on import and that Kairos does not need."""

from __future__ import annotations

import sys


def without_iri_grammar() -> None:
    """Keep jsonschema from building a grammar of internationalised addresses when it is imported.

    That takes more than a second of CPU time in every process that reads a notebook, for a check
    that the schema of notebooks does not use. jsonschema skips it if the package
    (`rfc3987_syntax`) is absent: call this before nbformat or papermill is imported.
    """
    sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]
