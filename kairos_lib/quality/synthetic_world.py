"""A synthetic world, for whose scenes everything true is known.

Nothing here knows such a world. The module that draws one registers how its truth is read and how
captions of it are scored.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple


@dataclass(frozen=True)
class AttributeScores:
    """How many attributes of scenes were right, of how many, by attribute."""

    right: dict[str, int] = field(default_factory=dict)
    total: dict[str, int] = field(default_factory=dict)

    def __add__(self, other: AttributeScores) -> AttributeScores:
        """The scores of both together."""
        names = list(dict.fromkeys([*self.total, *other.total]))
        return AttributeScores(
            {name: self.right.get(name, 0) + other.right.get(name, 0) for name in names},
            {name: self.total.get(name, 0) + other.total.get(name, 0) for name in names},
        )

    def note(self, attribute: str, right: bool) -> None:
        """Count one attribute."""
        self.total[attribute] = self.total.get(attribute, 0) + 1
        self.right[attribute] = self.right.get(attribute, 0) + right

    def share(self, attribute: str | None = None) -> float:
        """The share that was right, from 0 to 1: of one attribute, or of all of them."""
        names = list(self.total) if attribute is None else [attribute]
        total = sum(self.total.get(name, 0) for name in names)
        return sum(self.right.get(name, 0) for name in names) / total if total else 0.0


class TrueScene(NamedTuple):
    """A scene of a synthetic clip."""

    start_s: float
    end_s: float
    caption: str
    drawn: Any
    """Its contents: can be written as JSON, and is passed to `score` in that form."""


@dataclass(frozen=True)
class World:
    """How captions of one synthetic world are judged."""

    labels: frozenset[str]
    """Names that a detector of its objects uses."""
    read: Callable[[bytes], Sequence[TrueScene]]
    """Reads a clip's truth from its file; raises ValueError if it is not one."""
    score: Callable[[str, Any], AttributeScores]
    """Scores a caption against the contents of a scene."""


_registered: list[World] = []


def register(world: World) -> None:
    """Register a world so that its captions can be scored; the last one registered is used."""
    _registered.append(world)


def known() -> World | None:
    """The registered world; None if there is none."""
    return _registered[-1] if _registered else None
