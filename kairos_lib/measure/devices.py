"""Which device models run on, where nobody names one."""

from __future__ import annotations

from kairos_lib.measure.provenance import gpus


def usual_device() -> str:
    """The first GPU that this process sees and that torch can use, or else the CPU.

    torch is imported only where there is a GPU.
    """
    if not gpus():
        return "cpu"
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"
