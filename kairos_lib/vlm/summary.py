"""Totals over a scenario's captions."""

from __future__ import annotations

from typing import Literal

from kairos_lib.runs.journal import Journal
from kairos_lib.vlm.records import Caption, ScenarioResult, Timing
from kairos_lib.vlm.scores import NO_NUMBERS


def summarise(
    scenario: Literal["single-stream", "offline"],
    captions: Journal[Caption],
    energy_j: float | None = None,
) -> ScenarioResult:
    """Sum up a scenario's captions; the time of a resumed one is the sum of its parts.

    Args:
        scenario: Which of the two.
        captions: The scenario's captions.
        energy_j: Energy that the GPUs used for all of them, if it was measured.
    """
    ends_s: dict[str, float] = {}
    timing = dict.fromkeys(Timing.model_fields, 0.0)
    totals = {"scenes": 0, "failed": 0, "prompt_tokens": 0, "visual_tokens": 0}
    totals |= {"new_tokens": 0, "truncated": 0, "frames": 0, "no_numbers": 0}
    largest = 0
    for caption in captions:
        ends_s[caption.part] = max(ends_s.get(caption.part, 0.0), caption.elapsed_s)
        for name, value in caption.timing.model_dump().items():
            timing[name] += value
        totals["scenes"] += 1
        totals["failed"] += bool(caption.error)
        totals["no_numbers"] += caption.error == NO_NUMBERS
        totals["truncated"] += caption.truncated
        totals["frames"] += 0 if caption.error else len(caption.frame_times_s)
        for name in ("prompt_tokens", "visual_tokens", "new_tokens"):
            totals[name] += getattr(caption, name)
        largest = max(largest, caption.batch_size)
    return ScenarioResult(
        scenario=scenario,
        time_s=sum(ends_s.values()),
        timing=Timing(**timing),
        batch_size=largest,
        parts=len(ends_s),
        energy_j=energy_j,
        **totals,
    )
