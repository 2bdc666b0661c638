"""Differences between videos, explained rather than guessed."""

from __future__ import annotations

import numpy as np
import pytest
from helpers.cells import cells
from helpers.suites import SuiteMaker, scenario, single

from kairos_lib.measure.usage import Resources
from kairos_lib.report.page.html import Html
from kairos_lib.report.sections import anomalies
from kairos_lib.results import suite
from kairos_lib.results.caption_wording import wording
from kairos_lib.vlm.records import Caption

SCENES = 12


def text(piece: Html | None) -> str:
    assert piece is not None
    return str(piece.markup)


def alone(new: float, seed: int, factor: float = 1.0) -> list[Caption]:
    """Scenes on their own, whose time is made of their new tokens, with noise."""
    random = np.random.default_rng(seed)
    counts = [max(1, round(random.normal(new, new / 6))) for _ in range(SCENES)]
    return [
        single(scene, factor * (0.4 + 0.02 * count + random.normal(0, 0.02)), new=count)
        for scene, count in enumerate(counts)
    ]


def two_videos(maker: SuiteMaker, new: float, factor: float = 1.0, **result: object) -> None:
    """One video as usual, and one with other tokens or other times."""
    maker.base("plain", "Plain", scenes=SCENES)
    maker.base("other", "Other <video>", scenes=SCENES)
    maker.done(video="plain", alone=alone(60, 1), **result)
    maker.done(video="other", alone=alone(new, 2, factor), **result)


def test_longer_captions_explain_a_slower_video(maker: SuiteMaker) -> None:
    two_videos(maker, new=300)
    page = text(anomalies.anomalies(suite.read(maker.write(), "demo")))
    assert "Small: a scene of Other &lt;video&gt; takes 3.9 times as long" in page
    assert "Token counts explain 100% of the difference between 2 videos (24 scenes)." in page
    assert anomalies.NOT_EXPLAINED not in page
    assert "always the same" in page  # Visual tokens.


def test_a_slow_video_with_the_same_tokens_is_not_explained(maker: SuiteMaker) -> None:
    two_videos(maker, new=60, factor=5)
    data = suite.read(maker.write(), "demo")
    page = text(anomalies.anomalies(data))
    assert "Token counts explain 0% of the difference" in page
    assert "Small: Other &lt;video&gt; takes 5.0 times what its tokens take in the other" in page
    found = anomalies.explained(data)[0].fit
    assert found is not None
    assert [odd.video for odd in found.odd_videos] == ["other"]


def test_a_single_scene_that_is_not_explained_is_listed(maker: SuiteMaker) -> None:
    maker.base(scenes=SCENES)
    made = alone(60, 1)
    made[4] = single(4, 30.0, new=made[4].new_tokens)
    maker.done(alone=made)
    page = text(anomalies.anomalies(suite.read(maker.write(), "demo")))
    assert "Small: 1 single scene of 12 scenes is not explained by tokens" in page
    listed = page.split("Scenes whose time is not explained by tokens</caption>")[1]
    assert "5" in cells(listed)
    assert "30.0 s" in cells(listed)


def test_one_video_has_no_difference_between_videos(maker: SuiteMaker) -> None:
    maker.base(scenes=SCENES)
    maker.done(alone=alone(60, 1))
    page = text(anomalies.anomalies(suite.read(maker.write(), "demo")))
    assert "Small: one video, so no difference between videos to explain." in page


def test_few_scenes_are_not_fitted_but_their_captions_are_counted(maker: SuiteMaker) -> None:
    maker.base(scenes=3)
    maker.done(captions=["A red ball rolls.", "A red ball rolls on.", "Nothing."])
    page = text(anomalies.anomalies(suite.read(maker.write(), "demo")))
    assert "Small: 3 scenes captioned one at a time" in page
    assert "too few scenes to fit" in page
    assert "6 of 10" in page


def test_a_resumed_run_has_no_part_in_a_fit(maker: SuiteMaker) -> None:
    maker.base(scenes=SCENES)
    maker.done(alone=alone(60, 1), single_stream=scenario("single-stream", SCENES, 20, parts=2))
    page = text(anomalies.anomalies(suite.read(maker.write(), "demo")))
    assert "Small: 0 scenes captioned one at a time" in page


def test_a_scene_counts_once_with_the_median_of_its_repeats(maker: SuiteMaker) -> None:
    maker.base(scenes=SCENES)
    for repeat, seconds in enumerate((1.0, 9.0, 2.0), start=1):
        maker.done(repeat=repeat, alone=[single(scene, seconds) for scene in range(SCENES)])
    found = anomalies.explained(suite.read(maker.write(), "demo"))[0]
    assert [time.seconds for time in found.times] == [2.0] * SCENES


def test_captions_of_random_weights_are_not_counted(maker: SuiteMaker) -> None:
    maker.base()
    maker.done(weights_source="dummy", captions=["a a a a"] * 3)
    page = text(anomalies.anomalies(suite.read(maker.write(), "demo")))
    assert cells(page).count("noise") == 4


def test_labels_stand_beside_explanations(maker: SuiteMaker) -> None:
    two_videos(maker, new=300, resources=Resources(samples=9, foreign_cpu_cores=1.1))
    page = text(anomalies.anomalies(suite.read(maker.write(), "demo")))
    # Once for the model, and once for each of its videos.
    assert page.count("shared machine</span>") == 3


def test_a_suite_without_a_result_has_nothing_to_explain(maker: SuiteMaker) -> None:
    maker.base()
    maker.failed()
    assert anomalies.anomalies(suite.read(maker.write(), "demo")) is None


def test_a_journal_that_was_spoilt_does_not_end_the_report(maker: SuiteMaker) -> None:
    maker.base(scenes=SCENES)
    folder = maker.done(alone=alone(60, 1))
    (folder / "single_stream.jsonl").write_text('{"scene": "none"}\n')
    page = text(anomalies.anomalies(suite.read(maker.write(), "demo")))
    assert "too few scenes to fit" in page


def test_words_are_counted_over_all_captions_of_a_video() -> None:
    found = wording(
        [
            Caption(scene=0, text="A man runs. The man doesn't stop."),
            Caption(scene=1, text="a man runs: slow-motion", truncated=True),
            Caption(scene=2, text="", error="lost"),
        ]
    )
    assert (found.captions, found.words, found.truncated) == (2, 13, 1)
    assert found.distinct_words == len(
        {"a", "man", "runs", "the", "doesn", "t", "stop", "slow", "motion"}
    )
    assert found.words_per_caption == 6.5
    # Of six and three triples, one had been written before.
    assert found.repetition == pytest.approx(1 / 9)


def test_captions_too_short_for_three_words_have_no_repetition() -> None:
    assert wording([Caption(scene=0, text="A ball.")]).repetition is None
    assert wording([]).words_per_caption is None
