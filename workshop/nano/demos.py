"""Reads the scripts of the demo clips, which were written by hand: `clips/<name>.txt`.

A script is a line `style ...`, a line `seed ...` and a line for each shot:

    length | shapes | field | text | sounds
    4.4 fade | small red circle up, large white star still | plain green 0.8 | GOAL | whistle 1.2

Lengths are seconds. A shape is size, colour, kind and motion; a field texture, colour and shade.
Sounds follow one another, parted by semicolons: a sound or `silence` and its seconds, or a voice,
its words a minute, a colon and a sentence, as in `ben 150: here is a red star`. A dash is nothing.
"""

from __future__ import annotations

import re
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from kairos_lib.nano.script import VOICES, Play, Rest, Say, Script, Shot
from kairos_lib.nano.truth import CLIPS
from kairos_lib.nano.world import Field, Scene, Shape

SPEAKERS = dict(zip(("ben", "dan", "ann", "carol"), VOICES, strict=True))

_SAYING = re.compile(r"(\w+) (\d+): (.+)")


class ScriptError(ValueError):
    """A script cannot be read."""


def demo_names() -> list[str]:
    """The names of the demo clips."""
    return sorted(path.stem for path in CLIPS.glob("*.txt"))


def demo_script(name: str) -> Script:
    """The script of a demo clip, such as `demo-match`."""
    return read_script(CLIPS / f"{name}.txt")


def read_script(path: Path) -> Script:
    """Read a script from a file.

    Raises:
        ScriptError: If a line is not of the form above; the message names it.
    """
    header: dict[str, str] = {}
    shots: list[Shot] = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        try:
            if "|" in line and not line.startswith("#"):
                shots.append(_shot(line))
            elif line.strip() and not line.startswith("#"):
                key, value = line.split()
                header[key] = value
        except (ValueError, ValidationError) as error:
            raise ScriptError(f"{path.name}, line {number}: cannot read {line!r}") from error
    try:
        return TypeAdapter(Script).validate_python(
            {"name": path.stem, "shots": tuple(shots), **header}
        )
    except ValidationError as error:
        raise ScriptError(f"{path.name}: needs a style and a seed") from error


def _shot(line: str) -> Shot:
    length, shapes, field, text, sounds = (part.strip() for part in line.split("|"))
    length_s, _, fade = length.partition(" ")
    if fade not in ("", "fade"):
        raise ValueError(fade)
    texture, colour, shade = field.split()
    return Shot(
        Scene(
            tuple(_shape(shape) for shape in shapes.split(",")),
            TypeAdapter(Field).validate_python(
                {"texture": texture, "colour": colour, "shade": shade}
            ),
            "" if text == "-" else text,
        ),
        float(length_s),
        () if sounds == "-" else tuple(_sound(sound.strip()) for sound in sounds.split(";")),
        fades_out=fade == "fade",
    )


def _shape(text: str) -> Shape:
    size, colour, kind, motion = text.split()
    return TypeAdapter(Shape).validate_python(
        {"kind": kind, "colour": colour, "size": size, "motion": motion}
    )


def _sound(text: str) -> Say | Play | Rest:
    saying = _SAYING.fullmatch(text)
    if saying:
        if saying[1] not in SPEAKERS:
            raise ValueError(f"no voice {saying[1]}")
        return Say(saying[3], SPEAKERS[saying[1]], int(saying[2]))
    label, duration_s = text.split()
    if label == "silence":
        return Rest(float(duration_s))
    return TypeAdapter(Play).validate_python({"sound": label, "duration_s": duration_s})
