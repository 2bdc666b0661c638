"""Which models of a suite are ranked, on which videos, and why others are not.

A model is ranked that has a run of every video that may be ranked. A video that no model has one of
is no model's fault and is set aside. Verdict and charts go by it.
"""

from __future__ import annotations

from dataclasses import dataclass

from kairos_lib.results.suite import SuiteData
from kairos_lib.results.summary import Pair, pairs


@dataclass(frozen=True)
class Contenders:
    """The models of a suite, divided."""

    ranked: tuple[tuple[Pair, ...], ...]
    """A model's pairs with the videos that are ranked over, in the order of the plan."""
    absent: tuple[tuple[Pair, str], ...]
    """Of each other model the first pair, and what completes a sentence that begins with it."""
    undone: tuple[str, ...]
    """Titles of the videos that are set aside."""


def contenders(suite: SuiteData) -> Contenders:
    """Divide a suite's models by the one rule of `results.fitness`."""
    by_model: dict[str, dict[str, Pair]] = {}
    titles: dict[str, str] = {}
    done = set()
    for pair in pairs(suite):
        by_model.setdefault(pair.model, {})[pair.video] = pair
        titles[pair.video] = pair.title
        if not pair.fitness.why:
            done.add(pair.video)
    # Where no video is done by any, all are what models are not ranked for.
    over = [video for video in titles if video in done or not done]
    ranked, absent = [], []
    for told in by_model.values():
        reasons = {
            titles[video]: why
            for video in over
            if (why := told[video].fitness.why if video in told else "was not planned")
        }
        if reasons:
            absent.append((next(iter(told.values())), _reason(reasons)))
        else:
            ranked.append(tuple(told[video] for video in over))
    undone = tuple(title for video, title in titles.items() if video not in over)
    return Contenders(tuple(ranked), tuple(absent), undone)


def _reason(reasons: dict[str, str]) -> str:
    """The first, with its video, and how many more there are."""
    title, why = next(iter(reasons.items()))
    more = f" and {len(reasons) - 1:,} more" if len(reasons) > 1 else ""
    return f"{why}, on {title}{more}"
