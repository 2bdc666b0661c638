"""Honest labels stand wherever they must, and nowhere else."""

from __future__ import annotations

import pytest
from helpers.suites import MACHINE, SuiteMaker, scenario

from kairos_lib.events.records import EventsResult
from kairos_lib.measure.usage import Resources
from kairos_lib.pipeline.records import StageReport
from kairos_lib.report.sections.badges import legend
from kairos_lib.results import badges, suite
from kairos_lib.runs.manifest import PlannedStep
from kairos_lib.runs.status import Status


def of_runs(maker: SuiteMaker) -> list[set[badges.Badge]]:
    data = suite.read(maker.write(), "demo")
    return [badges.of_run(run, data) for run in data.runs]


def test_a_plain_run_has_no_badge(maker: SuiteMaker) -> None:
    maker.base()
    maker.done()
    assert of_runs(maker) == [set()]


def test_a_nano_model_in_its_own_world_is_labelled_nano(maker: SuiteMaker) -> None:
    maker.base()
    maker.done(weights_source="nano", synthetic_video=True)
    assert of_runs(maker) == [{badges.NANO, badges.SYNTHETIC}]


def test_captions_of_a_nano_model_on_a_real_video_are_labelled_meaningless(
    maker: SuiteMaker,
) -> None:
    maker.base()
    maker.done(weights_source="nano", synthetic_video=False)
    assert of_runs(maker) == [{badges.OUTSIDE}]
    assert badges.OUTSIDE.text == "nano model outside its world: captions mean nothing"


def test_captions_of_dummy_weights_are_labelled_noise(maker: SuiteMaker) -> None:
    maker.base()
    maker.done(weights_source="dummy")
    assert of_runs(maker) == [{badges.DUMMY}]


def test_a_resumed_run_is_labelled(maker: SuiteMaker) -> None:
    maker.base()
    maker.done(parts=3)
    assert of_runs(maker) == [{badges.RESUMED}]


def test_a_run_with_scenes_that_failed_is_partial(maker: SuiteMaker) -> None:
    maker.base(scenes=3)
    maker.done(offline=scenario("offline", 3, 15, failed=1))
    assert of_runs(maker) == [{badges.PARTIAL}]


@pytest.mark.parametrize(
    ("used", "taken_over", "expected"),
    [
        (Resources(samples=9, foreign_cpu_cores=0.6), None, {badges.SHARED}),
        (Resources(samples=9, foreign_cpu_cores=0.4), None, set()),
        (Resources(samples=9, foreign_vram_mib=65), None, {badges.SHARED_GPU}),
        (None, None, set()),
        # Its time is of the run that it was taken from.
        (None, Resources(samples=9, foreign_cpu_cores=0.6),
         {badges.SHARED, badges.STAGES_TAKEN_OVER}),
        (Resources(samples=9), Resources(samples=9), {badges.STAGES_TAKEN_OVER}),
    ],
)  # fmt: skip
def test_base_processing_that_shared_the_machine_is_labelled_as_a_model_is(
    maker: SuiteMaker,
    used: Resources | None,
    taken_over: Resources | None,
    expected: set[badges.Badge],
) -> None:
    stages = [
        StageReport(name="scenes", state="done", resources=taken_over, reused=bool(taken_over)),
        # Of one that ran here, the sitting's are the ones to go by.
        StageReport(name="audio", state="done", resources=Resources(foreign_cpu_cores=3)),
    ]
    maker.base(stages=stages, resources=used)
    data = suite.read(maker.write(), "demo")
    assert badges.of_base(data.bases[0], data) == expected


def test_a_run_with_scenes_without_numbers_is_labelled(maker: SuiteMaker) -> None:
    maker.base(scenes=3)
    failed = scenario("offline", 3, 15, failed=1).model_copy(update={"no_numbers": 1})
    maker.done(offline=failed)
    assert of_runs(maker) == [{badges.NO_NUMBERS, badges.PARTIAL}]


def test_a_run_that_shared_the_machine_is_labelled(maker: SuiteMaker) -> None:
    maker.base()
    maker.done(resources=Resources(samples=9, foreign_cpu_cores=0.6))
    maker.done(repeat=2, resources=Resources(samples=9, foreign_cpu_cores=0.4))
    assert of_runs(maker) == [{badges.SHARED}, set()]


def test_a_run_on_another_machine_than_most_is_labelled(maker: SuiteMaker) -> None:
    maker.base()
    maker.done(model="a")
    maker.done(model="b")
    maker.done(model="c", machine={**MACHINE, "cpu": "Another CPU"})
    assert of_runs(maker) == [set(), set(), {badges.OTHER_MACHINE}]


def test_a_run_made_in_jupyterlab_is_labelled(maker: SuiteMaker) -> None:
    maker.base()
    (maker.done() / "status.json").unlink()
    assert of_runs(maker) == [{badges.BY_HAND}]


def test_a_run_that_was_cut_short_is_unfinished_and_partial(maker: SuiteMaker) -> None:
    maker.base()
    (maker.failed(captions=["One."]) / "status.json").unlink()
    assert of_runs(maker) == [{badges.UNFINISHED, badges.PARTIAL}]


def test_a_failed_run_is_failed_even_with_a_result_of_an_earlier_attempt(
    maker: SuiteMaker,
) -> None:
    maker.base()
    folder = maker.done()
    (folder / "status.json").write_text(Status(state="failed", reason="timeout").model_dump_json())
    assert badges.FAILED in of_runs(maker)[0]


def test_the_legend_explains_each_badge_once(maker: SuiteMaker) -> None:
    shown = legend([badges.NANO, badges.FAILED, badges.NANO])
    assert shown is not None
    assert str(shown.markup).count(badges.NANO.explanation) == 1
    assert legend([]) is None


def test_events_carry_what_must_be_known_of_them(maker: SuiteMaker) -> None:
    """Badges of a model's events go by the same facts as those of its captions."""
    maker.further.append(PlannedStep(kind="events", video="match", folder="runs/events/x"))
    data = suite.read(maker.write(), "demo")
    (run,) = data.further
    whole: dict[str, object] = {
        "key": "k", "model": "m", "model_title": "M", "task": "t", "task_title": "T", "video": "v",
        "title": "V", "duration_s": 9.0, "asked_s": 9.0, "windows": 4,
        "outcomes": {"event": 4}, "events": 1,
        "load_s": 1.0, "time_s": 1.0, "timing": {}, "new_tokens": 9, "batch_size": 2, "parts": 2,
        "slices": 2, "weights_source": "hub",
    }  # fmt: skip

    def of(**changes: object) -> set[badges.Badge]:
        result = EventsResult.model_validate({**whole, **changes})
        return badges.of_events(run, result, data) - badges.of_events(run, None, data)

    assert of() == set()
    assert of(outcomes={"event": 3, "failed": 1}) == {badges.PARTIAL}
    assert of(parts=3) == {badges.RESUMED}
    assert of(weights_source="dummy") == {badges.DUMMY}
    assert of(weights_source="server") == {badges.SERVER}
    assert of(weights_source="nano") == {badges.OUTSIDE}
    assert of(weights_source="nano", synthetic_video=True) == {badges.NANO, badges.SYNTHETIC}
    assert of(resources={"foreign_cpu_cores": 1.0}) == {badges.SHARED}
