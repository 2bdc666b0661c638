"""Colour temperature: how warm or cool the white is that a picture's mean colour would be.

Knows nothing of videos.
"""

from __future__ import annotations

import numpy as np

LOCUS_K = (1667, 25000)
"""Temperatures for which McCamy's formula and the locus below are of use."""
MAX_DUV = 0.05
"""Largest distance from the Planckian locus at which a temperature has a meaning (CIE 15:2004)."""
DARKEST = 0.002
"""Mean luminance below which the colour is that of noise."""

# Linear sRGB to CIE XYZ (IEC 61966-2-1).
TO_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])


def temperature_k(image: np.ndarray) -> float | None:
    """Correlated colour temperature of a picture's mean colour, in kelvin.

    By the formula of McCamy (Color Research & Application 17(2), 1992, pp. 142-144) from the
    chromaticity of the mean of linear light.

    Args:
        image: BGR, shape (height, width, 3), uint8.

    Returns:
        None if the mean is black, or further from the Planckian locus than a white can be.
    """
    counts = [np.bincount(image[:, :, channel].ravel(), minlength=256) for channel in (2, 1, 0)]
    linear = np.array([count @ _LINEAR / count.sum() for count in counts])
    total = (xyz := TO_XYZ @ linear).sum()
    if xyz[1] < DARKEST:
        return None
    x, y = xyz[0] / total, xyz[1] / total
    n = (x - 0.3320) / (0.1858 - y)
    kelvin = float(((449 * n + 3525) * n + 6823.3) * n + 5520.33)
    if not LOCUS_K[0] <= kelvin <= LOCUS_K[1]:
        return None
    # Distance in CIE 1960 u, v, where it is defined.
    u, v = 4 * x / (12 * y - 2 * x + 3), 6 * y / (12 * y - 2 * x + 3)
    near = _locus(kelvin)
    return round(kelvin, 1) if np.hypot(u - near[0], v - near[1]) <= MAX_DUV else None


def _linear() -> np.ndarray:
    """Linear light of each 8-bit value of sRGB (IEC 61966-2-1), shape (256,)."""
    value = np.arange(256) / 255
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


_LINEAR = _linear()


def _locus(kelvin: float) -> tuple[float, float]:
    """Chromaticity u, v (CIE 1960) of a black body.

    By the approximation of Krystek (Color Research & Application 10(1), 1985, pp. 38-40), for
    1,000 to 15,000 K; above, the locus hardly moves.
    """
    t = min(kelvin, 15000.0)
    u = (0.860117757 + 1.54118254e-4 * t + 1.28641212e-7 * t**2) / (
        1 + 8.42420235e-4 * t + 7.08145163e-7 * t**2
    )
    v = (0.317398726 + 4.22806245e-5 * t + 4.20481691e-8 * t**2) / (
        1 - 2.89741816e-5 * t + 1.61456053e-7 * t**2
    )
    return u, v
