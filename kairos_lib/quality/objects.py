"""Which of a detector's objects a caption names. Knows no models."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable

from kairos_lib.quality.synthetic_world import known

COCO = (
    "person", "bicycle", "car", "motorcycle", "airplane", "bus", "train", "truck", "boat",
    "traffic light", "fire hydrant", "stop sign", "parking meter", "bench", "bird", "cat", "dog",
    "horse", "sheep", "cow", "elephant", "bear", "zebra", "giraffe", "backpack", "umbrella",
    "handbag", "tie", "suitcase", "frisbee", "skis", "snowboard", "sports ball", "kite",
    "baseball bat", "baseball glove", "skateboard", "surfboard", "tennis racket", "bottle",
    "wine glass", "cup", "fork", "knife", "spoon", "bowl", "banana", "apple", "sandwich",
    "orange", "broccoli", "carrot", "hot dog", "pizza", "donut", "cake", "chair", "couch",
    "potted plant", "bed", "dining table", "toilet", "tv", "laptop", "mouse", "remote",
    "keyboard", "cell phone", "microwave", "oven", "toaster", "sink", "refrigerator", "book",
    "clock", "vase", "scissors", "teddy bear", "hair drier", "toothbrush",
)  # fmt: skip
"""The labels of detectors trained on COCO (Lin et al., Microsoft COCO, ECCV 2014), as ultralytics
spells them."""
PLURALS = {
    "person": "persons", "sheep": "sheep", "skis": "skis", "scissors": "scissors",
    "mouse": "mice", "knife": "knives", "broccoli": "broccoli",
}  # fmt: skip
"""Plurals that do not follow the rules of English spelling."""
SYNONYMS: dict[str, tuple[str, ...]] = {
    "person": (
        "people", "man", "men", "woman", "women", "boy", "boys", "girl", "girls", "child",
        "children", "kid", "kids", "baby", "babies", "guy", "guys", "lady", "ladies",
        "individual", "individuals", "player", "players", "chef", "chefs", "crowd", "crowds",
        "audience", "spectators",
    ),
    "bicycle": ("bike", "bikes"),
    "motorcycle": ("motorbike", "motorbikes"),
    "airplane": ("aeroplane", "aeroplanes", "aircraft", "plane", "planes"),
    "truck": ("lorry", "lorries"),
    "boat": ("ship", "ships"),
    "cow": ("cattle",),
    "backpack": ("rucksack", "rucksacks"),
    "handbag": ("purse", "purses"),
    "suitcase": ("luggage",),
    "sports ball": ("ball", "balls"),
    "cup": ("mug", "mugs"),
    "donut": ("doughnut", "doughnuts"),
    "couch": ("sofa", "sofas"),
    "potted plant": ("houseplant", "houseplants"),
    "dining table": ("table", "tables"),
    "tv": ("television", "televisions", "tv screen", "tv screens"),
    "cell phone": (
        "phone", "phones", "mobile phone", "mobile phones", "cellphone", "cellphones",
        "smartphone", "smartphones",
    ),
    "refrigerator": ("fridge", "fridges"),
    "hair drier": ("hair dryer", "hair dryers", "hairdryer", "hairdryers"),
}  # fmt: skip
"""Other words for a label. Words that often mean something else are left out: football is a game,
a speaker can be a loudspeaker, a plant a factory."""
ONLY_AS: dict[str, tuple[str, ...]] = {
    "orange": ("oranges",),  # the colour
    "tie": ("necktie", "neckties", "suit and tie", "wearing a tie"),  # of a match
    "remote": ("remote control", "remote controls"),  # a remote village
    "mouse": ("computer mouse",),  # the animal
}
"""Labels whose own word mostly means something else: only these forms count."""


def _detectors() -> list[frozenset[str]]:
    """Label sets of known detectors."""
    world = known()
    return [frozenset(COCO), *([world.labels] if world else [])]


class Vocabulary:
    """The objects that a detector knows, and the words that name them."""

    def __init__(self, labels: Iterable[str]) -> None:
        """From the detector's labels, as it spells them."""
        self.labels = frozenset(labels)
        self._label_of: dict[str, str] = {}
        named = sorted(self.labels)
        # A label's own word is always its own, even if it is another's synonym.
        for own in (_own_forms, _synonyms):
            for label in named:
                for form in own(label):
                    self._label_of.setdefault(form, label)
        # Longest first, so that a teddy bear is not a bear and a hot dog not a dog.
        forms = sorted(self._label_of, key=lambda form: (-len(form), form))
        listed = "|".join(re.escape(form) for form in forms)
        self._named = re.compile(rf"\b(?:{listed})\b") if forms else None

    @classmethod
    def of_detections(cls, seen: Collection[str]) -> Vocabulary | None:
        """The vocabulary of the detector that produced some labels.

        A run does not record all that its detector could have found. If every label that was seen
        is one of COCO's, or of a registered world's, that detector is assumed; otherwise only the
        labels that were seen are known.

        Returns:
            None if nothing was seen.
        """
        if not seen:
            return None
        return cls(next((one for one in _detectors() if one.issuperset(seen)), seen))

    def named(self, text: str) -> frozenset[str]:
        """The labels of the objects that a text names, however often.

        Words are taken literally: what is denied ("no dog") or only heard counts too.
        """
        if self._named is None:
            return frozenset()
        plain = " ".join(re.sub(r"[-_/]", " ", text.lower()).split())
        return frozenset(self._label_of[found[0]] for found in self._named.finditer(plain))


def _own_forms(label: str) -> tuple[str, ...]:
    if label in ONLY_AS:
        return ONLY_AS[label]
    word = " ".join(re.sub(r"[-_/]", " ", label.lower()).split())
    return word, _plural(word)


def _synonyms(label: str) -> tuple[str, ...]:
    return SYNONYMS.get(label, ())


def _plural(word: str) -> str:
    if word in PLURALS:
        return PLURALS[word]
    if re.search(r"(s|x|z|ch|sh)$", word):
        return f"{word}es"
    if re.search(r"[^aeiou]y$", word):
        return f"{word[:-1]}ies"
    return f"{word}s"
