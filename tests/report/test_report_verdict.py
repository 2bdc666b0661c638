"""The verdict: which model for what, and what is too close to call."""

from pathlib import Path

import pytest
from helpers.suites import SuiteMaker

from kairos_lib.records import Resources
from kairos_lib.report.verdict import Finding, findings, verdict
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
    assert answers["Not ranked"].answer == "Broken (failed on Match)."
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
    rounds(maker, [10], "a", "Slow", captions=[NAMES_ALL] * 8)
    rounds(maker, [5], "b", "Quick", captions=[NAMES_ALL] * 8)
    answers = found(maker)
    assert "are equal" in answers["Quality"].answer
    assert answers["Mixed use"].model == "Quick"


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


def test_memory_goes_by_the_highest_peak(maker: SuiteMaker) -> None:
    def used(mib: float) -> Resources:
        return Resources(samples=9, peak_ram_mib=mib)

    rounds(maker, [10], "a", "Large", resources=used(4096))
    rounds(maker, [20], "b", "Small", resources=used(1024))
    memory = found(maker)["Memory"]
    assert memory.model == "Small"
    assert "1.0 GiB of RAM at its peak, Large 4.0 GiB" in memory.answer


def test_where_all_failed_that_is_all_there_is_to_say(maker: SuiteMaker) -> None:
    maker.failed()
    assert list(found(maker)) == ["Not ranked"]


def test_a_title_is_shown_as_text(maker: SuiteMaker) -> None:
    rounds(maker, [10], "a", "<b>Bold</b>")
    shown = verdict(read(maker.write(), "demo"))
    assert shown is not None
    assert "<b>" not in str(shown.markup)
