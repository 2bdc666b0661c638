"""Which models of a suite are ranked, on which videos, and why others are not.

A model is ranked if it has a rankable run of every video. A video for which no model has one is set
aside, as that is no fault of a model. Verdict and charts use this.
"""

from __future__ import annotations

from dataclasses import dataclass

from kairos_lib.results.suite import SuiteData
from kairos_lib.results.summary import Pair, pairs


@dataclass(frozen=True)
class Contenders:
    """The models of a suite, split into ranked and not ranked."""

    ranked: tuple[tuple[Pair, ...], ...]
    """For each ranked model its pairs with the ranked videos, in the order of the plan."""
    absent: tuple[tuple[Pair, str], ...]
    """For each other model its first pair, and text that completes a sentence about the model."""
    undone: tuple[str, ...]
    """Titles of the videos that are set aside."""


def contenders(suite: SuiteData) -> Contenders:
    """Split a suite's models by the rule of `results.comparability`."""
    by_model: dict[str, dict[str, Pair]] = {}
    titles: dict[str, str] = {}
    done = set()
    for pair in pairs(suite):
        by_model.setdefault(pair.model, {})[pair.video] = pair
        titles[pair.video] = pair.title
        if not pair.fitness.why:
            done.add(pair.video)
    # If no video is done by any model, all videos count, so that no model is ranked.
    over = [video for video in titles if video in done or not done]
    ranked, absent = [], []
    for by_video in by_model.values():
        reasons = {
            titles[video]: why
            for video in over
            if (why := by_video[video].fitness.why if video in by_video else "was not planned")
        }
        if reasons:
            absent.append((next(iter(by_video.values())), _reason(reasons)))
        else:
            ranked.append(tuple(by_video[video] for video in over))
    undone = tuple(title for video, title in titles.items() if video not in over)
    return Contenders(tuple(ranked), tuple(absent), undone)


def _reason(reasons: dict[str, str]) -> str:
    """The first reason with its video, and how many more there are."""
    title, why = next(iter(reasons.items()))
    more = f" and {len(reasons) - 1:,} more" if len(reasons) > 1 else ""
    return f"{why}, on {title}{more}"
