"""Student's t distribution, for means of few values. Uses only the standard library."""

from __future__ import annotations

import math
from functools import cache


def share_within(t: float, degrees: int) -> float:
    """Probability that a variable of the t distribution lies between -t and t.

    Abramowitz and Stegun, Handbook of Mathematical Functions (1964), 26.7.3 and 26.7.4: finite
    sums, exact for whole degrees of freedom.

    Args:
        t: At least 0.
        degrees: Degrees of freedom, at least 1.
    """
    angle = math.atan2(t, math.sqrt(degrees))
    sine, cosine = math.sin(angle), math.cos(angle)
    odd = degrees % 2 == 1
    # For odd degrees: cos + 2/3 cos^3 + 2*4/(3*5) cos^5 ...; for even: 1 + 1/2 cos^2 + ...
    term = cosine if odd else 1.0
    total = term if degrees > 1 else 0.0
    for power in range(3 if odd else 2, degrees - 1, 2):
        term *= cosine**2 * (power - 1) / power
        total += term
    return 2 / math.pi * (angle + sine * total) if odd else sine * total


@cache
def quantile(level: float, degrees: int) -> float:
    """The t that contains a share `level` of the distribution, on both sides of 0.

    Args:
        level: Between 0 and 1; 0.95 leaves 2.5 % at each end.
        degrees: Degrees of freedom, at least 1.

    Raises:
        ValueError: The level is no share, or there is no degree of freedom.
    """
    if not 0 < level < 1 or degrees < 1:
        raise ValueError(f"no t of level {level} with {degrees} degrees of freedom")
    low, high = 0.0, 1.0
    while share_within(high, degrees) < level:
        high *= 2
    for _ in range(100):
        middle = (low + high) / 2
        if share_within(middle, degrees) < level:
            low = middle
        else:
            high = middle
    return high
