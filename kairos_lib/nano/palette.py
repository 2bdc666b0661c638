"""The colours of the small world, and how far two fields are apart. Knows no frames."""

from __future__ import annotations

import colorsys

from kairos_lib.nano.world import Colour, Field, Ground

RGB = tuple[int, int, int]

SHAPE_RGB: dict[Colour, RGB] = {
    "red": (220, 30, 35),
    "orange": (250, 140, 20),
    "yellow": (250, 230, 40),
    "green": (30, 200, 60),
    "blue": (35, 70, 235),
    "white": (248, 248, 248),
    "black": (14, 14, 14),
}

_FIELD_RGB: dict[Ground, RGB] = {
    "green": (62, 128, 70),
    "blue": (70, 115, 165),
    "gray": (128, 128, 128),
    "brown": (128, 92, 58),
    "purple": (116, 80, 145),
}


def field_rgb(field: Field) -> RGB:
    """The colour of a field, made darker or paler by its shade."""
    r, g, b = _FIELD_RGB[field.colour]
    if field.shade < 0:
        dark = 1 + 0.45 * field.shade
        return (int(r * dark), int(g * dark), int(b * dark))
    pale = 0.4 * field.shade
    return (int(r + (255 - r) * pale), int(g + (255 - g) * pale), int(b + (255 - b) * pale))


def field_distance(a: Field, b: Field) -> float:
    """How far two plain fields are apart by the measure of PySceneDetect's content detector.

    That is the mean of the differences in hue (0 to 180), saturation and value (0 to 255).
    """
    (h1, s1, v1), (h2, s2, v2) = (
        colorsys.rgb_to_hsv(*(c / 255 for c in field_rgb(f))) for f in (a, b)
    )
    return (abs(h1 - h2) * 180 + abs(s1 - s2) * 255 + abs(v1 - v2) * 255) / 3
