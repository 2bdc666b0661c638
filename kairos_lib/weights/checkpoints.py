"""Whether a network that was loaded is what its files say: whole, and made of numbers.

For every loader, whatever loads. Knows no architecture.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any


def check_whole(found: dict[str, Any]) -> None:
    """See that the files have every weight of the network, and no other.

    A weight that they lack would stay at random; one that the network does not know means that
    another network was saved.

    Args:
        found: What `from_pretrained` tells with `output_loading_info`.

    Raises:
        ValueError: It is not so.
    """
    for what in ("missing_keys", "mismatched_keys", "unexpected_keys", "error_msgs"):
        # Of weights of another shape, with both shapes.
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
    """See that no weight is NaN or infinite, as those of a damaged or overflowed checkpoint are.

    Args:
        weights: Names and torch tensors, such as `named_parameters()` or `state_dict().items()`.

    Raises:
        ValueError: One is.
    """
    for name, tensor in weights:
        if tensor.is_floating_point() and not bool(tensor.isfinite().all()):
            raise ValueError(f"the weights are damaged ({name} holds NaN or infinity)")
