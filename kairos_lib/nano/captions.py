"""Captions of the small world: written from a scene, read back, and scored. Knows no models."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from kairos_lib.nano.narration import first_mention
from kairos_lib.nano.world import COLOURS, GROUNDS, KINDS, SIZES, TEXTURES, Motion, Scene, Shape
from kairos_lib.quality.synthetic_world import AttributeScores

_VERBS: dict[Motion, str] = {
    "left": "moves left",
    "right": "moves right",
    "up": "moves up",
    "down": "moves down",
    "grows": "grows",
    "still": "stays still",
}
_MOTION_OF = {verb: motion for motion, verb in _VERBS.items()}

ATTRIBUTES = ("count", "kind", "colour", "size", "motion", "background", "texture")

HEARD = ("music", "tone", "applause", "whistle", "siren", "noise")
"""Sounds that a caption names. Silence is nothing to name, and speech has a sentence of its own."""

_CLAUSE = re.compile(
    rf"\b(?:({'|'.join(SIZES)})\s+)?(?:({'|'.join(COLOURS)})\s+)?({'|'.join(KINDS)})s?\b"
    rf"(?:\s+({'|'.join(_MOTION_OF)}))?"
)
_FIELD = re.compile(rf"\b(?:({'|'.join(TEXTURES)})\s+)?({'|'.join(GROUNDS)})\s+field\b")


@dataclass(frozen=True)
class SaidShape:
    """A shape as a caption has it; what it does not say is None."""

    kind: str | None = None
    colour: str | None = None
    size: str | None = None
    motion: str | None = None


@dataclass(frozen=True)
class Attributes:
    """What a caption says of a scene. A caption that says nothing gives empty attributes."""

    shapes: tuple[SaidShape, ...] = ()
    background: str | None = None
    texture: str | None = None


def caption_of(scene: Scene, *, transcript: str = "", sounds: Sequence[str] = ()) -> str:
    """Describe a scene: its shapes from left to right in its first frame, then its field.

    Args:
        scene: What is seen.
        transcript: What the prompt says is spoken, if it does.
        sounds: What the prompt says is heard, if it does.

    Returns:
        For example "A large red circle moves left and a small blue square stays still on a
        striped green field. Applause is heard. A voice speaks of a red star."
    """
    said = [f"a {s.size} {s.colour} {s.kind} {_VERBS[s.motion]}" for s in scene.shapes]
    listed = said[0] if len(said) == 1 else f"{', '.join(said[:-1])} and {said[-1]}"
    sentences = [f"{listed} on a {scene.field.texture} {scene.field.colour} field."]
    heard = [sound for sound in sounds if sound in HEARD]
    if heard:
        sentences.append(f"{' and '.join(heard)} {'is' if len(heard) == 1 else 'are'} heard.")
    if transcript:
        mention = first_mention(transcript)
        of_what = f" of {article(mention[0])} {mention[0]} {mention[1]}" if mention else ""
        sentences.append(f"a voice speaks{of_what}.")
    return " ".join(s[0].upper() + s[1:] for s in sentences)


def article(word: str) -> str:
    """The article that goes before a word: "a" or "an"."""
    return "an" if word[0] in "aeiou" else "a"


def parse(text: str) -> Attributes:
    """Read what a caption says of the shapes and the field; anything else is passed over."""
    seen = " ".join(text.lower().split())
    # What a voice speaks of is heard, not seen.
    seen = re.sub(r"\ba voice [^.]*\.?", "", seen)
    shapes = tuple(
        SaidShape(kind=m[3], size=m[1], colour=m[2], motion=_MOTION_OF[m[4]] if m[4] else None)
        for m in _CLAUSE.finditer(seen)
    )
    found = _FIELD.search(seen)
    if found is None:
        return Attributes(shapes)
    return Attributes(shapes, background=found[2], texture=found[1])


def score(text: str, truth: Scene) -> AttributeScores:
    """Count the attributes of a scene that a caption has right.

    Shapes are compared in their order from left to right, so a shape that was left out costs its
    own attributes and may cost those after it. What is said beyond the truth costs the count.
    """
    said = parse(text)
    scores = AttributeScores(dict.fromkeys(ATTRIBUTES, 0), dict.fromkeys(ATTRIBUTES, 0))

    scores.note("count", len(said.shapes) == len(truth.shapes))
    scores.note("background", said.background == truth.field.colour)
    scores.note("texture", said.texture == truth.field.texture)
    for index, shape in enumerate(truth.shapes):
        stated = said.shapes[index] if index < len(said.shapes) else SaidShape()
        for attribute in ("kind", "colour", "size", "motion"):
            scores.note(attribute, getattr(stated, attribute) == getattr(shape, attribute))
    return scores


def same_shape(said: SaidShape, shape: Shape) -> bool:
    """Whether a caption has everything of a shape right."""
    return (said.kind, said.colour, said.size, said.motion) == (
        shape.kind,
        shape.colour,
        shape.size,
        shape.motion,
    )
