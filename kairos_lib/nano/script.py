"""What a clip is to show and to sound like, before anything is drawn. Knows no files.

A script is written by hand, as the demo clips are, or drawn from a seed; drawing its pictures and
sounds is another matter with a seed of its own.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Literal

from kairos_lib.nano.narration import sentence
from kairos_lib.nano.palette import field_distance
from kairos_lib.nano.staging import NoRoomError, stage
from kairos_lib.nano.world import STYLES, Scene, Style, random_scene

Sound = Literal["speech", "music", "tone", "applause", "whistle", "siren", "noise", "silence"]
PlayedSound = Literal["music", "tone", "applause", "whistle", "siren", "noise"]

SOUNDS: tuple[Sound, ...] = (
    "speech",
    "music",
    "tone",
    "applause",
    "whistle",
    "siren",
    "noise",
    "silence",
)
PLAYED_SOUNDS: tuple[PlayedSound, ...] = (
    "music",
    "tone",
    "applause",
    "whistle",
    "siren",
    "noise",
)

# Patterns, shapes and compression move the measured difference about; a cut is seen from 27.
_CLEARLY_APART = 42.0

VOICES = ("en-us", "en", "en-us+f3", "en+f4")
"""Voices of espeak-ng: two men and two women, American and British."""


@dataclass(frozen=True)
class Say:
    """A sentence that a voice speaks, in small letters and without a stop."""

    text: str
    voice: str = VOICES[0]
    words_per_minute: int = 150


@dataclass(frozen=True)
class Play:
    """A sound that is heard for a while."""

    sound: PlayedSound
    duration_s: float


@dataclass(frozen=True)
class Rest:
    """Silence."""

    duration_s: float


@dataclass(frozen=True)
class Shot:
    """A scene with its length and its sounds, which follow one another from its start."""

    scene: Scene
    duration_s: float
    """At least so long: a shot waits for its sounds to end."""
    track: tuple[Say | Play | Rest, ...] = ()
    fades_out: bool = False
    """Whether the last half second goes nearly to black before the cut."""


@dataclass(frozen=True)
class Script:
    """A whole clip. `seed` decides how it is drawn, not what it shows."""

    name: str
    style: Style
    shots: tuple[Shot, ...]
    seed: int = 0


def random_script(seed: int, shots: int = 6, style: Style | None = None) -> Script:
    """Draw a script of `shots` shots from a seed.

    Args:
        seed: The same seed gives the same script.
        shots: How many scenes it has.
        style: What its voices speak of; drawn if None.

    Returns:
        A script in which neighbours differ enough for a cut to be seen, and all shapes fit.
    """
    rng = random.Random(seed)
    spoken = rng.choice(STYLES) if style is None else style
    voice = rng.choice(VOICES)
    drawn: list[Shot] = []
    while len(drawn) < shots:
        scene = random_scene(rng)
        if drawn and field_distance(scene.field, drawn[-1].scene.field) < _CLEARLY_APART:
            continue
        try:
            stage(scene, random.Random(seed))
        except NoRoomError:
            continue
        track: list[Say | Play | Rest] = []
        if rng.random() < 0.6:
            track.append(Say(sentence(rng, spoken), voice, rng.randint(135, 175)))
        if rng.random() < 0.6:
            track.append(Play(rng.choice(PLAYED_SOUNDS), round(rng.uniform(1.2, 2.5), 1)))
        rng.shuffle(track)
        last = len(drawn) == shots - 1
        fades_out = not last and rng.random() < 0.15
        drawn.append(Shot(scene, round(rng.uniform(2.4, 5.0), 1), tuple(track), fades_out))
    return Script(f"random-{seed}", spoken, tuple(drawn), seed)
