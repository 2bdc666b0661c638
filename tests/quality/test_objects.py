"""Which objects a caption names."""

from __future__ import annotations

import pytest

from kairos_lib.quality.objects import COCO, ONLY_AS, SYNONYMS, Vocabulary


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("Two men and a dog.", {"person", "dog"}),
        ("A teddy bear beside a hot dog.", {"teddy bear", "hot dog"}),
        ("Wine glasses, knives and scissors on a table.",
         {"wine glass", "knife", "scissors", "dining table"}),
        ("She talks on her cell-phone on the sofa.", {"cell phone", "couch"}),
        ("An orange shirt, a tie in a remote village.", set()),
        ("Oranges beside the remote control.", {"orange", "remote"}),
        ("Catalogues of cartoons; a carpet.", set()),
        ("BUSES and ferries near the TV.", {"bus", "tv"}),
    ],
)  # fmt: skip
def test_objects_are_named_by_their_label_its_plural_or_a_synonym(
    text: str, named: set[str]
) -> None:
    assert Vocabulary(COCO).named(text) == named


def test_a_detector_is_known_by_its_labels() -> None:
    coco = Vocabulary.of_detections({"person"})
    nano = Vocabulary.of_detections({"circle", "star"})
    own = Vocabulary.of_detections({"goal post", "person"})
    assert coco is not None and nano is not None and own is not None
    assert coco.labels == set(COCO)
    assert nano.named("Two rings and a red circle.") == {"ring", "circle"}
    assert own.labels == {"goal post", "person"}
    assert own.named("A man between goal posts, a dog.") == {"person", "goal post"}


def test_without_any_detection_nothing_is_known_of_the_detector() -> None:
    assert Vocabulary.of_detections(set()) is None


def test_no_word_stands_for_two_labels() -> None:
    words = [word for label in COCO for word in (*SYNONYMS.get(label, ()), *ONLY_AS.get(label, ()))]
    assert len(words) == len(set(words))
    assert not set(words) & set(COCO)
    assert set(SYNONYMS) | set(ONLY_AS) <= set(COCO)
