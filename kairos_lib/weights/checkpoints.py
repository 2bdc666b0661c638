"""Checks that a loaded network matches its files: complete, and with finite weights.

Used by every loader. Knows no architecture.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any


def check_whole(found: dict[str, Any]) -> None:
    """Check that the files have exactly the weights of the network.

    Missing weights would stay random; unknown ones mean that another network was saved.

    Args:
        found: The `output_loading_info` of `from_pretrained`.

    Raises:
        ValueError: They differ.
    """
    for what in ("missing_keys", "mismatched_keys", "unexpected_keys", "error_msgs"):
        # For weights of another shape, includes both shapes.
        names = sorted(
            name if isinstance(name, str) else " ".join(map(str, name))
            for name in found.get(what) or ()
        )
        if names:
            more = f" and {len(names) - 1} more" if len(names) > 1 else ""
            raise ValueError(
                f"the weights do not go with the model ({what[:-5]}: {names[0]}{more})"
            )


def check_numbers(weights: Iterable[tuple[str, Any]]) -> None:
    """Check that no weight is NaN or infinite, as in a damaged or overflowed checkpoint.

    Args:
        weights: Names and torch tensors, such as `named_parameters()` or `state_dict().items()`.

    Raises:
        ValueError: One is.
    """
    for name, tensor in weights:
        if tensor.is_floating_point() and not bool(tensor.isfinite().all()):
            raise ValueError(f"the weights are damaged ({name} holds NaN or infinity)")
