"""The verdict: which model for what, and what is too close to call."""

from pathlib import Path

import pytest
from helpers.suites import MACHINE, SuiteMaker

from kairos_lib.measure.usage import Resources
from kairos_lib.report.sections.verdict import Finding, findings, verdict
from kairos_lib.results.suite import read

NAMES_ALL = "A ball and a person."
"""What the scenes' detections show."""
NAMES_NONE = "A quiet field."


@pytest.fixture
def maker(tmp_path: Path) -> SuiteMaker:
    made = SuiteMaker(tmp_path)
    made.base(scenes=8)
    return made


def found(maker: SuiteMaker) -> dict[str, Finding]:
    return {finding.question: finding for finding in findings(read(maker.write(), "demo"))}


def used(mib: float) -> Resources:
    return Resources(samples=9, peak_ram_mib=mib)


def rounds(maker: SuiteMaker, times_s: list[float], model: str, title: str, **more: object) -> None:
    for number, time_s in enumerate(times_s, start=1):
        maker.done(model, title, repeat=number, time_s=time_s, **more)


def test_the_fastest_model_is_named_with_its_lead_and_the_rounds_it_rests_on(
    maker: SuiteMaker,
) -> None:
    rounds(maker, [10, 10.2, 9.9], "a", "Quick")
    rounds(maker, [20, 20.3, 19.9], "b", "Slow")
    speed = found(maker)["Speed"]
    assert speed.model == "Quick"
    assert "2.00 times as fast as Slow (99% interval 1.9" in speed.answer
    assert "3 rounds" in speed.answer


def test_models_whose_rounds_overlap_are_too_close_to_call(maker: SuiteMaker) -> None:
    rounds(maker, [10, 12, 10], "a", "One")
    rounds(maker, [11, 11, 11], "b", "Other")
    speed = found(maker)["Speed"]
    assert speed.model == ""
    assert "Too close to call between One and Other" in speed.answer


def test_a_lead_of_few_rounds_is_called_chance(maker: SuiteMaker) -> None:
    rounds(maker, [10], "a", "Quick")
    rounds(maker, [20], "b", "Slow")
    assert "can be chance" in found(maker)["Speed"].answer


def test_a_model_without_a_time_for_every_video_is_not_ranked(maker: SuiteMaker) -> None:
    rounds(maker, [10], "a", "Quick")
    maker.failed("b", "Broken")
    answers = found(maker)
    assert answers["Not ranked"].answer == "Broken failed (out of memory), on Match."
    assert "Broken" not in answers["Speed"].answer


def test_better_captions_are_told_with_the_extent_of_the_difference(maker: SuiteMaker) -> None:
    rounds(maker, [10], "a", "Good", captions=[NAMES_ALL] * 8)
    rounds(maker, [5], "b", "Bad", captions=[NAMES_NONE] * 8)
    answers = found(maker)
    assert answers["Quality"].model == "Good"
    assert "8 scenes of 1 video" in answers["Quality"].answer
    assert "little of how true" in answers["Quality"].answer
    assert answers["Mixed use"].model == "Good"


def test_of_models_that_describe_alike_the_faster_one_is_for_mixed_use(maker: SuiteMaker) -> None:
    rounds(maker, [10, 10.2, 9.9], "a", "Slow", captions=[NAMES_ALL] * 8)
    rounds(maker, [5, 5.1, 5], "b", "Quick", captions=[NAMES_ALL] * 8)
    answers = found(maker)
    assert "are equal" in answers["Quality"].answer
    assert answers["Mixed use"].model == "Quick"
    assert "is the fastest of those whose captions cannot be told" in answers["Mixed use"].answer


@pytest.mark.parametrize(
    ("times_s", "why"),
    [([10, 12, 10], "speed is too close to call"), ([10], "speed is not shown by so few rounds")],
)
def test_a_lead_in_speed_that_is_not_shown_decides_nothing(
    maker: SuiteMaker, times_s: list[float], why: str
) -> None:
    rounds(maker, times_s, "a", "One", captions=[NAMES_ALL] * 8)
    rounds(maker, [11] * len(times_s), "b", "Other", captions=[NAMES_ALL] * 8)
    answers = found(maker)
    assert (answers["Speed"].model, answers["Mixed use"].model) == ("", "")
    assert why in answers["Mixed use"].answer
    assert "fastest" not in answers["Mixed use"].answer


def test_where_captions_and_speed_do_not_decide_memory_does_and_says_so(maker: SuiteMaker) -> None:
    for model, times_s, mib in (("a", [10, 12, 10], 4096), ("b", [11, 11, 11], 1024)):
        rounds(maker, times_s, model, model.upper(), captions=[NAMES_ALL] * 8, resources=used(mib))
    answers = found(maker)
    assert answers["Memory"].model == answers["Mixed use"].model == "B"
    assert "needs least memory of those" in answers["Mixed use"].answer
    assert "their speed is too close to call" in answers["Mixed use"].answer


def test_which_is_faster_can_depend_on_the_video_and_then_none_is_named(tmp_path: Path) -> None:
    maker = SuiteMaker(tmp_path)
    for video, scenes in (("long", 40), ("short", 4), ("brief", 4)):
        maker.base(video, video.title(), scenes=scenes)
        for number, noise in enumerate((1, 1.01, 0.99), start=1):
            for model, factor in (("a", 1.0), ("b", 1.3 if video == "long" else 0.6)):
                time_s = 2 * scenes * factor * (noise if model == "a" else 1)
                maker.done(model, model.upper(), video, number, time_s=time_s)
    speed = found(maker)["Speed"]
    assert speed.model == ""
    assert speed.answer.startswith("It depends on the video: A was ahead over all")
    assert "in the mean of the videos B is" in speed.answer


@pytest.mark.parametrize(
    ("more", "handicap"),
    [
        ({"weights_source": "server"}, "was run by a server"),
        ({"weights_source": "dummy"}, "has captions that are noise"),
        ({"weights_source": "nano"}, "has captions that mean nothing"),
        ({"placement": ("cuda:0", "cpu")}, "did not fit on the GPU as a whole"),
    ],
)
def test_what_is_ranked_is_not_always_recommended(
    maker: SuiteMaker, more: dict[str, object], handicap: str
) -> None:
    rounds(maker, [5, 5.1, 5], "a", "Quick", **more)
    alone = found(maker)["Mixed use"]
    assert (alone.model, handicap in alone.answer) == ("", True)
    rounds(maker, [10, 10.1, 10], "b", "Own")
    answers = found(maker)
    assert answers["Speed"].model == "Quick"
    assert answers["Mixed use"].model == "Own"
    assert f"Quick {handicap}" in answers["Mixed use"].answer


def test_a_video_that_no_model_did_keeps_none_from_being_ranked(maker: SuiteMaker) -> None:
    maker.base("bad", "Bad film")
    for model, times_s in (("a", [10, 10.1, 10]), ("b", [20, 20.1, 20])):
        rounds(maker, times_s, model, model.upper())
        maker.failed(model, model.upper(), "bad")
    answers = found(maker)
    assert answers["Speed"].model == "A"
    assert answers["Not counted"].answer == "Bad film: no model has a run that counts."
    assert "Not ranked" not in answers


def test_base_processing_elsewhere_sets_no_model_aside(tmp_path: Path) -> None:
    maker = SuiteMaker(tmp_path)
    for video in ("v1", "v2", "v3"):
        maker.base(video, video, machine={**MACHINE, "cpu": "Another"})
    maker.done(video="v1")
    maker.done(video="v2")
    assert "Not ranked" not in found(maker)


def test_where_no_model_keeps_up_none_is_for_mixed_use(maker: SuiteMaker) -> None:
    rounds(maker, [100], "a", "Slow")
    rounds(maker, [200], "b", "Slower")
    mixed = found(maker)["Mixed use"]
    assert mixed.model == ""
    assert "None keeps up" in mixed.answer
    assert "Slow comes nearest, 1.2x" in mixed.answer


def test_noise_is_not_compared(maker: SuiteMaker) -> None:
    rounds(maker, [10], "a", "Dummy", weights_source="dummy")
    rounds(maker, [20], "b", "Other", weights_source="dummy")
    assert "Not compared" in found(maker)["Quality"].answer


def test_the_model_that_needs_least_memory_is_named_with_how_much_the_next_one_takes(
    maker: SuiteMaker,
) -> None:
    rounds(maker, [10] * 3, "a", "Large", resources=used(4096))
    rounds(maker, [20] * 3, "b", "Small", resources=used(1024))
    memory = found(maker)["Memory"]
    assert memory.model == "Small"
    assert "1.0 GiB of RAM at its peak, Large 4.0 GiB, 4.00 times as much" in memory.answer


def test_one_outlier_in_memory_does_not_name_the_model_that_needs_less(tmp_path: Path) -> None:
    maker = SuiteMaker(tmp_path)
    for video in ("v1", "v2", "v3", "v4"):
        maker.base(video, video)
        for number in (1, 2, 3):
            least = 6000 if (video, number) == ("v3", 2) else 2000 + number
            maker.done("a", "Less", video, number, resources=used(least))
            maker.done("b", "More", video, number, resources=used(2400 - number))
    memory = found(maker)["Memory"]
    assert memory.model == ""
    assert "Too close to call between Less and More: 2.0 GiB of RAM against" in memory.answer


def test_memory_of_a_server_is_not_known_and_of_a_gpu_is_not_held_against_ram(
    maker: SuiteMaker,
) -> None:
    rounds(maker, [10] * 3, "a", "Own", resources=used(4096))
    rounds(maker, [10] * 3, "b", "Remote", resources=used(64), weights_source="server")
    memory = found(maker)["Memory"]
    assert memory.model == "Own"
    assert memory.answer.endswith("Not known of Remote.")
    rounds(maker, [10] * 3, "c", "On GPU")
    assert found(maker)["Memory"].answer.startswith("Not compared: some models were on a GPU")


def test_where_all_failed_that_is_all_there_is_to_say(maker: SuiteMaker) -> None:
    maker.failed()
    assert list(found(maker)) == ["Not ranked"]


def test_a_title_is_shown_as_text(maker: SuiteMaker) -> None:
    rounds(maker, [10], "a", "<b>Bold</b>")
    shown = verdict(read(maker.write(), "demo"))
    assert shown is not None
    assert "<b>" not in str(shown.markup)
