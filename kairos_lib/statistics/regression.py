"""Least squares of a column on some others. Knows nothing of what they measure."""

from __future__ import annotations

from statistics import NormalDist
from typing import Any, Literal

import numpy as np

Array = np.ndarray[Any, np.dtype[np.float64]]
Why = Literal["constant", "collinear", "few"]
COLLINEAR = 0.999
"""Maximum share of a column's variation that others may explain; above it, it adds nothing."""
SAME = 1e-9
"""Relative rounding error of a value."""
LEVERAGE_AT_MOST = 0.99
"""Leverage of one row: above this, the line goes through it whatever its value."""
MAD_TO_SIGMA = 1 / NormalDist().inv_cdf(0.75)


def independent(x: Array) -> tuple[list[int], dict[int, Why]]:
    """The columns with information of their own, and what is wrong with the others.

    Keeps few enough columns to leave two rows for judging them.

    Args:
        x: Shape (rows, columns); of two collinear columns, the first is kept.
    """
    kept: list[int] = []
    dropped: dict[int, Why] = {}
    centred = x - x.mean(axis=0)
    for column in range(x.shape[1]):
        own = centred[:, column]
        if np.ptp(x[:, column]) <= SAME * np.abs(x[:, column]).max():
            dropped[column] = "constant"
            continue
        rest = own - centred[:, kept] @ np.linalg.lstsq(centred[:, kept], own, rcond=None)[0]
        if rest @ rest <= (1 - COLLINEAR) * (own @ own):
            dropped[column] = "collinear"
        elif len(kept) + 3 > len(x):
            dropped[column] = "few"
        else:
            kept.append(column)
    return kept, dropped


def least_squares(x: Array, y: Array) -> tuple[float, Array, Array | None]:
    """Intercept, slopes, and half of the slopes' 95 % intervals.

    The errors are HC3 (MacKinnon and White, "Some heteroskedasticity-consistent covariance matrix
    estimators", 1985): they are valid if large values vary more than small ones. None if a single
    row determines a slope, or there are too few.

    Args:
        x: Shape (rows, columns), the columns independent.
        y: Shape (rows,).
    """
    middle = x.mean(axis=0)
    # Scale columns to the same size: some count in thousands.
    scale = x.std(axis=0)
    unit = (x - middle) / scale
    inverse = np.linalg.pinv(unit.T @ unit)
    beta = inverse @ unit.T @ (y - y.mean())
    slopes = beta / scale
    intercept = float(y.mean() - middle @ slopes)
    left = y - y.mean() - unit @ beta
    leverage = np.einsum("ij,jk,ik->i", unit, inverse, unit) + 1 / len(y)
    free = len(y) - x.shape[1] - 1
    if free < 1 or leverage.max() > LEVERAGE_AT_MOST:
        return intercept, slopes, None
    meat = unit.T * (left / (1 - leverage)) ** 2
    variance = np.diag(inverse @ (meat @ unit) @ inverse)
    return intercept, slopes, t_quantile(0.975, free) * np.sqrt(variance.clip(min=0)) / scale


def t_quantile(share: float, freedom: int) -> float:
    """Quantile of Student's distribution, by expansion about the normal one; 1 % off at 3 degrees.

    Source: Abramowitz and Stegun, "Handbook of Mathematical Functions", 1964, 26.7.5.
    """
    x = NormalDist().inv_cdf(share)
    terms = (
        (x**3 + x) / 4,
        (5 * x**5 + 16 * x**3 + 3 * x) / 96,
        (3 * x**7 + 19 * x**5 + 17 * x**3 - 15 * x) / 384,
        (79 * x**9 + 776 * x**7 + 1482 * x**5 - 1920 * x**3 - 945 * x) / 92160,
    )
    return float(x + sum(term / freedom**power for power, term in enumerate(terms, start=1)))


def sigma(left: Array) -> float:
    """A robust standard deviation: the median absolute deviation, scaled as for a normal one."""
    return float(MAD_TO_SIGMA * np.median(np.abs(left - np.median(left))))


def explained(actual: Array, expected: Array) -> float:
    """Share of the variation of some values that others explain; 0 if they do not vary."""
    total = float(((actual - actual.mean()) ** 2).sum())
    if not total:
        return 0.0
    return min(1.0, max(0.0, 1 - float(((actual - expected) ** 2).sum()) / total))
