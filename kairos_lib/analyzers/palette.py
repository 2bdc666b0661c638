"""The few colours that a picture is made of, by k-means in CIE Lab; the same for the same input.

Knows nothing of videos. Lab is CIE L*a*b* with white D65: L* from 0 to 100, and distances in it are
about as large as they look.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

import numpy as np

CELL = 8.0
"""Colours are counted in cubes of this side before they are grouped: hundreds instead of a hundred
thousand."""
ROUNDS = 20
"""More than k-means needs to settle on so few points."""
ALIKE = 15.0
"""Groups nearer than this (CIE76 distance) are shades of one colour and are put together."""
SMALLEST = 0.02
"""A smaller share joins the nearest group."""

# Where basic colour terms (Berlin and Kay, 1969) are in sRGB: some span light and dark.
TERMS = {
    "black": ("#000000", "#1a1a1a"),
    "white": ("#ffffff", "#f0f0f0"),
    "grey": ("#808080", "#4d4d4d", "#b8b8b8"),
    "red": ("#e00000", "#a01010", "#ff3030"),
    "orange": ("#ff8c00", "#e07020"),
    "yellow": ("#ffe000", "#e8e060", "#c8b400"),
    "green": ("#00a000", "#105020", "#60d060", "#608040", "#a0e020"),
    "blue": ("#0030d0", "#102060", "#4080e0", "#90c8f0", "#00b0d0", "#305878"),
    "purple": ("#8020b0", "#401060", "#b080e0"),
    "pink": ("#ff80c0", "#f0b0c8", "#e020a0"),
    "brown": ("#804010", "#503018", "#a87848", "#c8a878"),
}


class Swatch(NamedTuple):
    """A colour with its share of the pixels."""

    lab: np.ndarray
    """L*, a*, b*; shape (3,)."""
    share: float

    @classmethod
    def of_hex(cls, colour: str, share: float = 1.0) -> Swatch:
        """From `#rrggbb`."""
        return cls(lab_of(colour), share)


def palette_of(lab: np.ndarray, most: int) -> list[Swatch]:
    """The colours of a picture, the largest share first.

    Args:
        lab: Its pixels, shape (pixels, 3).
        most: Maximum number of colours.
    """
    cells = np.floor(lab / CELL).astype(np.int32)
    cells -= cells.min(axis=0)
    spans = cells.max(axis=0) + 1
    flat = (cells[:, 0] * spans[1] + cells[:, 1]) * spans[2] + cells[:, 2]
    _, which, counts = np.unique(flat, return_inverse=True, return_counts=True)
    sums = [np.bincount(which, weights=lab[:, axis]) for axis in range(3)]
    means = np.stack(sums, axis=1) / counts[:, None]
    return _grouped(means, counts / counts.sum(), most)


def merged(swatches: Sequence[Swatch], most: int) -> list[Swatch]:
    """Several palettes as one, the largest share first."""
    points = np.stack([one.lab for one in swatches])
    return _grouped(points, np.array([one.share for one in swatches]), most)


def _grouped(points: np.ndarray, weights: np.ndarray, most: int) -> list[Swatch]:
    """Weighted k-means, shape (points, 3).

    It begins with the heaviest point, then with whichever is heaviest and furthest from all
    before: nothing is drawn at random.
    """
    centres = points[[int(weights.argmax())]]
    while len(centres) < most:
        distance = _squares(points, centres).min(axis=1)
        if distance.max() < ALIKE**2:
            break
        centres = np.vstack([centres, points[int((weights * distance).argmax())]])
    for _ in range(ROUNDS):
        before, centres = centres, _means(points, weights, _squares(points, centres).argmin(axis=1))
        if len(before) == len(centres) and np.allclose(before, centres):
            break
    return _joined(points, weights, centres)


def _joined(points: np.ndarray, weights: np.ndarray, centres: np.ndarray) -> list[Swatch]:
    """Put together what looks alike or is too small, then sum up the groups."""
    owner = _squares(points, centres).argmin(axis=1)
    while True:
        centres = _means(points, weights, owner)
        owner = np.unique(owner, return_inverse=True)[1]
        shares = np.bincount(owner, weights=weights, minlength=len(centres))
        if len(centres) == 1:
            break
        apart = _squares(centres, centres)
        np.fill_diagonal(apart, np.inf)
        smallest = int(shares.argmin())
        if shares[smallest] < SMALLEST * shares.sum():
            one, other = smallest, int(apart[smallest].argmin())
        elif apart.min() < ALIKE**2:
            one, other = (int(n) for n in np.unravel_index(apart.argmin(), apart.shape))
        else:
            break
        owner = np.where(owner == one, other, owner)
    found = [Swatch(lab, float(share)) for lab, share in zip(centres, shares, strict=True)]
    return sorted(found, key=lambda swatch: -swatch.share)


def _squares(points: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """Squared distances, shape (points, centres)."""
    found: np.ndarray = ((points[:, None] - centres[None]) ** 2).sum(axis=2)
    return found


def _means(points: np.ndarray, weights: np.ndarray, owner: np.ndarray) -> np.ndarray:
    """The mean of each group that has any points, in the order of their numbers."""
    return np.stack(
        [
            np.average(points[owner == group], axis=0, weights=weights[owner == group])
            for group in np.unique(owner)
        ]
    )


def lab_of(colour: str) -> np.ndarray:
    """CIE Lab of `#rrggbb`, shape (3,)."""
    import cv2

    values = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    pixel = np.array([[values]], dtype=np.float32)
    found: np.ndarray = cv2.cvtColor(pixel, cv2.COLOR_RGB2LAB)[0, 0].astype(np.float64)
    return found


def hex_colour(lab: np.ndarray) -> str:
    """`#rrggbb` of a colour in Lab."""
    import cv2

    pixel = cv2.cvtColor(lab.astype(np.float32)[None, None], cv2.COLOR_LAB2RGB)[0, 0]
    red, green, blue = (round(float(value) * 255) for value in pixel.clip(0, 1))
    return f"#{red:02x}{green:02x}{blue:02x}"


def name_of(lab: np.ndarray) -> str:
    """The basic colour term whose examples are nearest."""
    points, names = _terms()
    return names[int(((points - lab) ** 2).sum(axis=1).argmin())]


@cache
def _terms() -> tuple[np.ndarray, list[str]]:
    pairs = [(lab_of(colour), name) for name, colours in TERMS.items() for colour in colours]
    return np.stack([lab for lab, _ in pairs]), [name for _, name in pairs]
