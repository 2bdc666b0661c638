"""Watches a model's scores while it generates: when they come, and whether they are finite.

Changes none of them, and waits for the device only where it takes the time, not at every step.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

NO_NUMBERS = (
    "the model's scores are not finite (NaN or infinity): its weights are damaged, or too large "
    "for its dtype (try bfloat16 or float32)"
)
NEVER = 2**31 - 1


class Scores:
    """A logits processor and stopping criterion for one call of `generate`.

    A row whose scores are not finite ends there: anything further would mean nothing.
    """

    def __init__(self, rows: int, synchronise: Callable[[], None]) -> None:
        self.at = 0.0
        """When the first scores were there, device-synchronised."""
        self._rows = rows
        self._synchronise = synchronise
        self._steps = 0
        # Kept on the device, step after step: reading it would mean waiting.
        self._failed_at: Any = None

    def __call__(self, input_ids: Any, scores: Any) -> Any:
        """Note the scores of one step, of shape (rows × beams, vocabulary)."""
        import torch

        if not self.at:
            self._synchronise()
            self.at = time.perf_counter()
            self._failed_at = torch.full((self._rows,), NEVER, device=scores.device)
        # NaN survives a maximum; if all tokens are forbidden, the maximum is minus infinity.
        bad = ~scores.amax(dim=-1).isfinite().view(self._rows, -1).all(dim=-1)
        first = bad & (self._failed_at == NEVER)
        self._failed_at = self._failed_at.masked_fill(first, self._steps)
        self._steps += 1
        return scores

    def ended(self, input_ids: Any, scores: Any, **_: Any) -> Any:
        """Which rows, or beams of rows, need no further step."""
        failed = self._failed_at != NEVER
        return failed.repeat_interleave(len(input_ids) // self._rows).to(input_ids.device)

    def failed(self, counts: Sequence[int]) -> list[bool]:
        """Which rows failed; reads from the device.

        Args:
            counts: Tokens of each row up to its end; anything computed after it is ignored.
        """
        return [step < count for step, count in zip(self._failed_at.tolist(), counts, strict=True)]
