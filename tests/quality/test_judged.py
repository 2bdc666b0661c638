"""Captions of one video, judged."""

from __future__ import annotations

import numpy as np
import pytest

from kairos_lib.nano.truth import ClipTruth
from kairos_lib.quality.judgement import Judged, SceneCaption, agreements, judge
from kairos_lib.quality.objects import Vocabulary
from kairos_lib.quality.pareto import beaten_by
from kairos_lib.quality.reference_captions import Reference
from kairos_lib.quality.sample import Sample, pooled, ratio

SEEN = frozenset({"person", "dog"})


def test_objects_named_and_objects_not_detected_are_shares_of_all_objects() -> None:
    judged = judge(
        "v",
        [
            SceneCaption(0, "A man walks a dog.", detected=SEEN),
            SceneCaption(1, "A cat and a woman.", detected=SEEN),
            SceneCaption(2, "Nothing at all.", detected=frozenset()),
        ],
        Vocabulary({"person", "dog", "cat"}),
    )
    assert (judged.named.part, judged.named.whole, judged.named.n) == (3, 4, 2)
    assert (judged.unseen.part, judged.unseen.whole) == (1, 4)
    assert judged.objects.value == pytest.approx(2 * 3 / (4 + 4))


def test_without_a_detector_nothing_is_said_of_objects() -> None:
    judged = judge("v", [SceneCaption(0, "A man.", detected=SEEN)])
    assert judged.named.value is judged.unseen.value is judged.objects.value is None


def test_a_caption_of_another_scene_is_found_whatever_its_punctuation() -> None:
    texts = ["A red ball.", "a red ball", "A goal!", "", ""]
    judged = judge("v", [SceneCaption(at, text) for at, text in enumerate(texts)])
    assert (judged.same.part, judged.same.whole) == (2, 3)
    assert (judged.empty.part, judged.empty.whole) == (2, 5)
    assert judged.captions == 5


def test_the_main_language_is_told_of_captions_that_are_long_enough() -> None:
    texts = [
        "A man in a suit is talking to a woman.", "Two dogs are running over the green grass.",
        "Ein Mann spricht mit einer Frau in einer Küche.", "Oh.",
    ]  # fmt: skip
    judged = judge("v", [SceneCaption(at, text) for at, text in enumerate(texts)])
    assert judged.language == "en"
    assert (judged.in_language.part, judged.in_language.whole) == (2, 3)


def test_refusals_and_captions_cut_off_are_counted() -> None:
    judged = judge(
        "v",
        [SceneCaption(0, "I cannot see it."), SceneCaption(1, "It goes on and", truncated=True)],
    )
    assert (judged.refusals.part, judged.cut_off.part, judged.cut_off.whole) == (1, 1, 2)


def test_scenes_without_a_reference_are_left_out_and_counted() -> None:
    reference = Reference(start_s=0, end_s=1, captions=("A red ball.",))
    judged = judge(
        "v", [SceneCaption(0, "A red ball."), SceneCaption(1, "A goal.")], references={0: reference}
    )
    assert (judged.rouge_l.value, judged.rouge_l.n) == (1, 1)
    assert judged.without_reference == 1
    assert judged.corpus is not None
    assert judged.corpus.chrf == pytest.approx(100)
    assert judged.attributes.value is None


def test_where_no_scene_has_a_reference_nothing_is_measured() -> None:
    judged = judge("v", [SceneCaption(0, "A goal.")], references={})
    assert judged.rouge_l.value is None
    assert judged.corpus is None
    assert judged.without_reference == 1


def test_in_the_nano_world_the_attributes_that_a_caption_has_right_are_counted() -> None:
    scene = ClipTruth.of_demo("demo-match").scenes[0]
    reference = Reference(start_s=0, end_s=4, captions=(scene.caption,), world=scene.scene)
    # The second circle of the scene is blue: one of its 3 + 2 x 4 attributes is wrong.
    wrong = scene.caption.replace("blue", "white")
    captions = [SceneCaption(n, text) for n, text in enumerate([scene.caption, wrong, "Fog."])]
    judged = judge("v", captions, references=dict.fromkeys(range(3), reference))
    assert judged.attributes.parts == (11, 10, 0)
    assert judged.attributes.value == pytest.approx(21 / 33)
    assert judged.by_attribute is not None
    assert judged.by_attribute.share("colour") == pytest.approx(3 / 6)


def test_models_agree_as_far_as_their_words_do_variants_aside() -> None:
    told = {
        "a": [SceneCaption(0, "a red ball"), SceneCaption(1, "a goal")],
        "a-4bit": [SceneCaption(0, "a red ball")],
        "b": [SceneCaption(0, "a blue ball")],
        "c": [SceneCaption(0, "fog")],
    }
    found = agreements(told, lambda one, other: one[0] == other[0])
    assert found["a"] == {0: pytest.approx((2 / 3 + 0) / 2)}
    assert found["b"] == {0: pytest.approx((2 / 3 + 2 / 3 + 0) / 3)}
    assert agreements({"a": told["a"]}, lambda one, other: False) == {"a": {}}


def test_nothing_judged_is_no_number() -> None:
    assert judge("v", []) == Judged()


def test_samples_of_videos_are_pooled_and_cut_to_common_scenes() -> None:
    both = pooled([Sample.of("a", [(0, 1, 2), (1, 5, 0)]), Sample.of("b", [(0, 3, 4)])])
    assert both.value == pytest.approx(4 / 6)
    assert both.keys == [("a", 0), ("b", 0)]
    assert both.within({("b", 0)}).value == pytest.approx(3 / 4)
    assert ratio(np.array(both.rows)) == pytest.approx(4 / 6)


def test_the_front_has_all_that_nothing_beats_in_both_ways() -> None:
    points = [(1.0, 0.5), (2.0, 0.9), (3.0, 0.6), (2.5, 0.4), (1.0, 0.5)]
    assert beaten_by(points) == [[], [], [1], [0, 4, 1], []]
