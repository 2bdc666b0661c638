"""The parts of a notebook that its results depend on."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from kairos_lib.errors import KairosError
from kairos_lib.runs.run import KEY_HEX_DIGITS


def notebook_hash(path: Path) -> str:
    """Hash of a notebook's code, without outputs, prose and default parameters.

    Editing a code cell makes a new run; running the notebook or changing its prose does not. The
    parameters' values are in the key themselves.
    """
    try:
        return cells_hash(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise KairosError(f"{path} is not a notebook that can be read: restore it") from error


def cells_hash(notebook: dict[str, Any]) -> str:
    """The same for a notebook that has been read."""
    return hashlib.sha256("\n\n".join(code(notebook)).encode()).hexdigest()[:KEY_HEX_DIGITS]


def code(notebook: dict[str, Any]) -> list[str]:
    """Its code cells, except the one with the parameters."""
    return [
        "".join(cell["source"]).strip()
        for cell in notebook["cells"]
        if cell["cell_type"] == "code"
        and "parameters" not in cell.get("metadata", {}).get("tags", [])
    ]
