"""The small world that the nano models know: shapes that move on fields. Knows no pixels.

Everything here is plain data and the standard library, so that settings, captions and tests can
import it for nothing. `staging` gives the shapes places, `render` gives them pixels.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Literal

Kind = Literal["circle", "square", "triangle", "star", "ring"]
Colour = Literal["red", "orange", "yellow", "green", "blue", "white", "black"]
Size = Literal["small", "large"]
Motion = Literal["left", "right", "up", "down", "grows", "still"]
Ground = Literal["green", "blue", "gray", "brown", "purple"]
Texture = Literal["plain", "striped", "dotted"]
Style = Literal["match", "recipe", "dialogue", "speech"]

KINDS: tuple[Kind, ...] = ("circle", "square", "triangle", "star", "ring")
COLOURS: tuple[Colour, ...] = ("red", "orange", "yellow", "green", "blue", "white", "black")
SIZES: tuple[Size, ...] = ("small", "large")
MOTIONS: tuple[Motion, ...] = ("left", "right", "up", "down", "grows", "still")
GROUNDS: tuple[Ground, ...] = ("green", "blue", "gray", "brown", "purple")
TEXTURES: tuple[Texture, ...] = ("plain", "striped", "dotted")
STYLES: tuple[Style, ...] = ("match", "recipe", "dialogue", "speech")

WIDTH_PX = 640
HEIGHT_PX = 360
FPS = 25
MAX_SHAPES = 3
MIN_SCENE_S = 2.0
MAX_SCENE_S = 8.0


@dataclass(frozen=True)
class Shape:
    """One shape and the one thing that it does for as long as the scene lasts."""

    kind: Kind
    colour: Colour
    size: Size
    motion: Motion


@dataclass(frozen=True)
class Field:
    """What the shapes move on."""

    colour: Ground
    texture: Texture = "plain"
    shade: float = 0.0
    """From -1 (dark) to 1 (pale). No caption speaks of it, so it can tell two like scenes apart."""


@dataclass(frozen=True)
class Scene:
    """What one scene shows. The order of `shapes` is their order from left to right."""

    shapes: tuple[Shape, ...]
    field: Field
    text: str = ""
    """A few words in the lower margin; no caption speaks of them."""


def random_scene(rng: random.Random, *, most_shapes: int = MAX_SHAPES) -> Scene:
    """Draw a scene: one to three shapes of different colours, none of the field's colour.

    Different colours make every shape of a scene nameable, and its motion a question with one
    answer. Three shapes are drawn most often because they are the hardest to describe.
    """
    count = rng.choices((1, 2, 3), weights=(3, 4, 5))[0]
    field = Field(
        colour=rng.choice(GROUNDS),
        texture=rng.choice(TEXTURES),
        shade=round(rng.uniform(-0.7, 0.9), 2),
    )
    colours = rng.sample([c for c in COLOURS if c != field.colour], min(count, most_shapes))
    shapes = tuple(
        Shape(rng.choice(KINDS), colour, rng.choice(SIZES), rng.choice(MOTIONS))
        for colour in colours
    )
    text = rng.choice(_TEXTS) if rng.random() < 0.3 else ""
    return Scene(shapes, field, text.format(number=rng.randint(1, 12)))


_TEXTS = ("STEP {number}", "HALF TIME", "PART {number}", "GOAL", "LIVE", "THE END", "{number} : 2")
