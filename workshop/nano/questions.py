"""The many ways in which a scene is asked about, with and without context. Knows no pixels.

A model this small learns the wording it is trained on and no other, so the wordings are drawn from
a grammar with some nonsense mixed in: what it must learn is that the answer lies in the images.
"""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass

from kairos_lib.nano.captions import HEARD, caption_of
from kairos_lib.nano.narration import sentence, vocabulary
from kairos_lib.nano.world import GROUNDS, KINDS, STYLES, TEXTURES, Scene
from workshop.nano.scene_prompts import SceneContext, scene_prompt

DEFAULT_INSTRUCTION = (
    "Describe the scene: the shapes, their colours, how they move, and the background."
)

WHOLE_INSTRUCTIONS = (
    DEFAULT_INSTRUCTION,
    "Describe this scene.",
    "Describe the video.",
    "Describe what happens in this video scene in one or two sentences.",
    "What is happening here?",
    "What happens in this scene?",
    "What do you see?",
    "What can be seen in these two frames?",
    "Give a short caption.",
    "Caption this clip.",
    "Write one sentence about the scene.",
    "Summarize the scene in one sentence.",
    "These frames are from one scene of a video. Describe the scene.",
    "The frames are in order of time. Say what moves and where it goes.",
    "You are shown frames of a video scene. Describe what is visible and what changes.",
    "You are a helpful assistant. Describe the scene in detail, be brief and do not guess.",
    "Please describe the people, objects and actions in the scene, and where it takes place.",
    "How many shapes are there, of what colour and size, and how does each of them move?",
    "Using the speech, the sounds and the objects above, describe the scene.",
    "Describe the events in this part of the video, with the main action first.",
    "Explain step by step what is shown in the images.",
    "What is the main action in this scene? Answer in a short paragraph.",
    "Name the shapes from left to right and say what each does.",
    "Look at the frames and tell me what is going on.",
)

_OPENINGS = (
    "",
    "",
    "Please ",
    "Now ",
    "In one sentence, ",
    "Briefly ",
    "In detail, ",
    "Could you ",
)
_VERBS = ("describe", "explain", "summarize", "caption", "report", "tell me", "list", "write down")
_THINGS = (
    "the scene", "this scene", "the video", "the clip", "the frames", "these images", "the shapes",
    "the shapes and the background", "what happens", "what you see", "what is shown",
    "what the shapes do", "the action", "all visible objects", "every shape and its colour",
    "the events", "the colours and the motion", "how things move", "the objects and their sizes",
)  # fmt: skip
_TAILS = (
    "", "", ".", " in one sentence.", " briefly.", " in detail.",
    " for a viewer who cannot see it.", ", from left to right.", " and the field.",
    ", with colours, sizes and motion.",
    " using the context above.", ". Be short.", ". Do not mention anything else.", "?",
    ". Use plain words.", " and say where it is.", ", one after another.",
)  # fmt: skip

_OTHER_LABELS = ("person", "sports ball", "bowl", "cup", "chair", "dog", "frisbee")
_QUIET_LABELS = ("speech", "silence")
_LETTERS = "etaoinshrdlucmfwypvbgkqjxz"


@dataclass(frozen=True)
class Question:
    """The text of a prompt and the caption that answers it."""

    prompt: str
    answer: str


def question(scene: Scene, rng: random.Random) -> Question:
    """Ask about a scene in some wording, with any part of the context there or not.

    The objects named are wrong as often as not, so that a model learns to trust its eyes.
    """
    transcript = _transcript(rng) if rng.random() < 0.5 else ""
    sounds = _sounds(rng) if rng.random() < 0.5 else []
    objects = _objects(scene, rng) if rng.random() < 0.5 else []
    prompt = scene_prompt(instruction(rng), SceneContext(transcript, sounds, objects))
    # The limit of the prompt may have cut the transcript: the answer knows what the prompt says.
    heard = next(
        (line[8:] for line in prompt.splitlines() if transcript and line.startswith("Speech: ")), ""
    )
    return Question(prompt, caption_of(scene, transcript=heard, sounds=sounds))


def instruction(rng: random.Random) -> str:
    """Draw an instruction: the default, another sensible one, a composed one, or nonsense."""
    draw = rng.random()
    if draw < 0.2:
        return DEFAULT_INSTRUCTION
    if draw < 0.45:
        return rng.choice(WHOLE_INSTRUCTIONS)
    if draw < 0.85:
        said = f"{rng.choice(_OPENINGS)}{rng.choice(_VERBS)} {rng.choice(_THINGS)}"
        return said[0].upper() + said[1:] + rng.choice(_TAILS)
    words = _instruction_words()
    return " ".join(
        rng.choice(words) if rng.random() < 0.7 else _nonsense(rng)
        for _ in range(rng.randint(2, 16))
    )


def vocabulary_lines() -> list[str]:
    """Lines that hold every word the world uses, for building a tokenizer."""
    lines = [*WHOLE_INSTRUCTIONS, *(" " + t for t in (*_OPENINGS, *_VERBS, *_THINGS, *_TAILS))]
    lines += [w for verb in _VERBS for w in (verb.capitalize(), " " + verb.capitalize())]
    seen = {*TEXTURES, *GROUNDS, "voice", "heard", "speaks", "moves", "stays", "still", "field"}
    for word in sorted(vocabulary() | seen | {*HEARD, *_QUIET_LABELS, *_OTHER_LABELS}):
        lines += [f" {word}", f" {word.capitalize()}", f" {word},", f" {word}."]
    lines += [f" {n} x {k}" for n in range(1, 5) for k in KINDS]
    lines += ["Speech: a", "Sounds: a", "Objects: a", "USER: a", " ASSISTANT: A"]
    return lines


def _instruction_words() -> list[str]:
    return sorted({w for line in (*WHOLE_INSTRUCTIONS, *_THINGS, *_TAILS) for w in line.split()})


def _nonsense(rng: random.Random) -> str:
    # Letters by how common they are, roughly, so that the pieces look like words.
    places = (min(int(rng.expovariate(0.15)), 25) for _ in range(rng.randint(2, 9)))
    return "".join(_LETTERS[p] for p in places)


def _transcript(rng: random.Random) -> str:
    style = rng.choice(STYLES)
    said = [sentence(rng, style) for _ in range(rng.choice((1, 1, 1, 2, 2, 3, 4)))]
    if rng.random() < 0.15:
        said.insert(rng.randint(0, len(said)), " ".join(_nonsense(rng) for _ in range(4)))
    if rng.random() < 0.2:
        return " ".join(s.capitalize() + "." for s in said)
    return " ".join(said)


def _sounds(rng: random.Random) -> list[str]:
    return rng.sample((*HEARD, *_QUIET_LABELS), rng.choice((1, 1, 2, 2, 3)))


def _objects(scene: Scene, rng: random.Random) -> list[tuple[str, int]]:
    counts: Counter[str] = Counter(shape.kind for shape in scene.shapes)
    if rng.random() < 0.5:
        for _ in range(rng.randint(1, 2)):
            if counts and rng.random() < 0.5:
                counts.pop(rng.choice(list(counts)))
            counts[rng.choice((*KINDS, *KINDS, *_OTHER_LABELS))] += 1
    found = list(counts.items())
    rng.shuffle(found)
    return found
