"""One line of the nano set's scores: a number, what it must reach, and what it is of."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Line:
    """A score, and the target that `make nano-score` holds it to."""

    model: str
    measure: str
    value: float
    target: float | None = None
    """The least that will do; None for a number that only informs."""
    of: str = ""
    """How many of what were looked at."""

    @property
    def missed(self) -> bool:
        """Whether the target is not reached."""
        return self.target is not None and self.value < self.target
