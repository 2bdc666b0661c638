"""What other packages would do when they are imported, and nobody here needs."""

from __future__ import annotations

import sys


def without_iri_grammar() -> None:
    """Keep jsonschema from building a grammar of internationalised addresses when it is imported.

    It would take more than a second of CPU time in every process that reads a notebook, for a check
    that the schema of notebooks does not ask for. jsonschema does without where the package
    (`rfc3987_syntax`) is absent: to be called before nbformat or papermill is imported.
    """
    sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]
