"""Muon in full precision, for processors that would have to imitate bfloat16.

After Keller Jordan's optimizer (https://github.com/KellerJordan/Muon). torch's own computes in
bfloat16, which costs more than all the rest of a training where a processor has no such numbers.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

_COEFFICIENTS = (3.4445, -4.7750, 2.0315)
_STEPS = 5


class Muon(torch.optim.Optimizer):
    """Steps whose matrices have singular values near one, with Nesterov's momentum.

    Args:
        parameters: Matrices.
        lr: Learning rate, as torch's Muon has it.
        weight_decay: Likewise.
        momentum: Likewise.
    """

    def __init__(
        self,
        parameters: Iterable[nn.Parameter],
        lr: float,
        weight_decay: float = 0.0,
        momentum: float = 0.95,
    ) -> None:
        super().__init__(parameters, {"lr": lr, "decay": weight_decay, "momentum": momentum})

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        """Take a step."""
        for group in self.param_groups:
            for matrix in group["params"]:
                if matrix.grad is None:
                    continue
                state = self.state[matrix]
                before = state.setdefault("momentum", torch.zeros_like(matrix))
                before.lerp_(matrix.grad, 1 - group["momentum"])
                way = orthogonal(matrix.grad.lerp(before, group["momentum"]))
                matrix.mul_(1 - group["lr"] * group["decay"])
                tall = max(1.0, matrix.shape[0] / matrix.shape[1]) ** 0.5
                matrix.add_(way, alpha=-group["lr"] * tall)


def orthogonal(matrix: Tensor) -> Tensor:
    """A matrix with the same singular vectors whose singular values are near one."""
    a, b, c = _COEFFICIENTS
    wide = matrix if matrix.shape[0] <= matrix.shape[1] else matrix.T
    wide = wide / wide.norm().clamp(min=1e-7)
    for _ in range(_STEPS):
        gram = wide @ wide.T
        wide = torch.addmm(wide, torch.addmm(gram, gram, gram, beta=b, alpha=c), wide, beta=a)
    return wide if matrix.shape[0] <= matrix.shape[1] else wide.T
