"""A world that is drawn, so that all that is true of a scene is known.

Nothing here knows such a world. Whoever draws one registers how its truth is read and how captions
of it are scored.
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
    """A scene of a clip that was drawn."""

    start_s: float
    end_s: float
    caption: str
    drawn: Any
    """What is in it: can be written as JSON, and comes back to `score` as that."""


@dataclass(frozen=True)
class World:
    """How captions of one synthetic world are judged."""

    labels: frozenset[str]
    """What a detector of its things calls them."""
    read: Callable[[bytes], Sequence[TrueScene]]
    """A clip's truth, from its file; a ValueError where it is none."""
    score: Callable[[str, Any], AttributeScores]
    """A caption against what was drawn."""


_registered: list[World] = []


def register(world: World) -> None:
    """Let captions of a world be judged; the one that was registered last holds."""
    _registered.append(world)


def known() -> World | None:
    """The world that is registered; none where nobody has."""
    return _registered[-1] if _registered else None
