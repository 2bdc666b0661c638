"""What the answers about a video's windows add up to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from kairos_lib.events.records import WindowAnswer
from kairos_lib.vlm.records import Timing


@dataclass
class Totals:
    """Sums over windows; the time of a run is the sum of its sessions, those of slices included."""

    windows: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    new_tokens: int = 0
    batch_size: int = 0
    """The largest that worked."""
    timing: Counter[str] = field(default_factory=Counter)
    ends_s: dict[str, float] = field(default_factory=dict)
    """Of each session, when its last answer was ready."""

    @classmethod
    def of(cls, answers: Iterable[WindowAnswer]) -> Totals:
        """Add up answers."""
        totals = cls()
        for answer in answers:
            totals.windows += 1
            totals.outcomes[answer.outcome] += 1
            totals.new_tokens += answer.new_tokens
            totals.batch_size = max(totals.batch_size, answer.batch_size)
            for name, seconds in answer.timing.model_dump().items():
                totals.timing[name] += seconds
            last_s = totals.ends_s.get(answer.part, 0.0)
            totals.ends_s[answer.part] = max(last_s, answer.elapsed_s)
        return totals

    @property
    def time_s(self) -> float:
        """Wall time of all sessions."""
        return sum(self.ends_s.values())

    @property
    def parts(self) -> int:
        """Sessions it took."""
        return len(self.ends_s)

    @property
    def as_timing(self) -> Timing:
        """Where the time went."""
        return Timing(**self.timing)
