"""Two or more models together: what they agree on, what one of them alone found, and a vote."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from kairos_lib.events.merging import DECIMALS
from kairos_lib.events.records import SpottedEvent

LIKELY = 0.5
"""A confidence above which an event is likelier than not."""


@dataclass(frozen=True)
class Agreement:
    """One event, and the models that found it."""

    event: SpottedEvent
    """As the vote has it."""
    found_by: tuple[str, ...]
    """Models, in the order in which they were given."""
    own: Mapping[str, SpottedEvent]
    """As each of them has it."""

    @property
    def accepted(self) -> bool:
        """Whether it passes the vote.

        What one model alone has found must be likelier than not, as that model says itself; what
        several have found bears each other out.
        """
        return len(self.own) > 1 or max(e.confidence for e in self.own.values()) > LIKELY


def vote(
    models: Mapping[str, Sequence[SpottedEvent]],
    radius_s: float,
    weights: Mapping[str, float] | None = None,
) -> list[Agreement]:
    """Put the events of several models together, in order of time.

    The surest event that is left takes, of each other model, the nearest of its label within the
    radius. Its time is the mean of theirs, weighted by confidence and by model; its confidence is
    the weighted mean of what the models give it, where one that did not find it gives 0.

    Args:
        models: What each found.
        radius_s: How far apart two models may put one event.
        weights: How much each model counts; all the same by default.
    """
    weight = {name: (weights or {}).get(name, 1.0) for name in models}
    total = sum(weight.values()) or 1.0
    left = [(name, event) for name, events in models.items() for event in events]
    order = list(models)
    left.sort(
        key=lambda one: (-one[1].confidence, one[1].time_s, one[1].label, order.index(one[0]))
    )
    found = []
    while left:
        name, first = left[0]
        own = {name: first}
        for other in order:
            near = [
                event
                for owner, event in left
                if owner == other != name
                and event.label == first.label
                and abs(event.time_s - first.time_s) <= radius_s
            ]
            if near:
                own[other] = min(near, key=lambda event: abs(event.time_s - first.time_s))
        left = [(owner, event) for owner, event in left if own.get(owner) is not event]
        found.append(_agreed(own, order, weight, total))
    return sorted(found, key=lambda one: (one.event.time_s, one.event.label))


def accepted(agreed: Iterable[Agreement]) -> list[SpottedEvent]:
    """The events that pass the vote, in the order given."""
    return [one.event for one in agreed if one.accepted]


def _agreed(
    own: Mapping[str, SpottedEvent],
    order: Sequence[str],
    weight: Mapping[str, float],
    total: float,
) -> Agreement:
    shares = {name: weight[name] * event.confidence for name, event in own.items()}
    best = own[max(own, key=lambda name: (shares[name], -order.index(name)))]
    sure = sum(shares.values())
    if sure > 0:
        time_s = sum(shares[name] * event.time_s for name, event in own.items()) / sure
    else:
        time_s = best.time_s
    event = best.model_copy(
        update={
            "time_s": round(time_s, 3),
            "confidence": round(min(1.0, sure / total), DECIMALS),
            "votes": sum(event.votes for event in own.values()),
        }
    )
    return Agreement(event, tuple(name for name in order if name in own), dict(own))
