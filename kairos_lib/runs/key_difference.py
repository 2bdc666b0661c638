"""What the keys of two runs were made of, and how they differ: one line for each difference."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kairos_lib.names import showable

SHOWN_CHARACTERS = 60
HASH_CHARACTERS = 12
"""Enough digits of a commit or a SHA-256 to identify it."""
_ABSENT = object()


@dataclass(frozen=True)
class Change:
    """One difference."""

    name: str
    """Its path, with dots: `parameters.generation.max_new_tokens`."""
    before: Any
    after: Any

    def __str__(self) -> str:
        """As one line."""
        before, after = _shown(self.before), _shown(self.after)
        if before == after:  # They differ in the part that is cut off.
            before, after = _text(self.before), _text(self.after)
        return f"{self.name}: {before} → {after}"


def changes(before: Mapping[str, Any], after: Mapping[str, Any], within: str = "") -> list[Change]:
    """Differences between two mappings, recursively, in the order of their names."""
    found: list[Change] = []
    for name in sorted({*before, *after}):
        one, other = before.get(name, _ABSENT), after.get(name, _ABSENT)
        where = f"{within}{name}"
        if isinstance(one, Mapping) and isinstance(other, Mapping):
            found += changes(one, other, f"{where}.")
        elif one != other:
            found.append(Change(where, one, other))
    return found


def _shown(value: Any) -> str:
    if value is _ABSENT:
        return "absent"
    text = _text(value)
    if len(text) in (40, 64) and all(c in "0123456789abcdef" for c in text):
        return f"{text[:HASH_CHARACTERS]}…"
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[: SHOWN_CHARACTERS - 1]}…"


def _text(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if showable(text) else repr(text)


def key_inputs(folder: Path) -> dict[str, Any]:
    """What a run's key was made of; empty if its folder does not say."""
    return read_mapping(folder / "key.json")


def read_mapping(path: Path) -> dict[str, Any]:
    """A JSON file that holds one mapping; empty if there is none.

    Also rejects malicious files: endlessly nested lists, or halves of characters, which could not
    be written again.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        json.dumps(found, ensure_ascii=False).encode()
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
