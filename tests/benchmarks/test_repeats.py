"""How often comparing is right, from the seconds that were recorded."""

from __future__ import annotations

import pytest

from benchmarks.base import RESULTS
from benchmarks.recorded import Repeats, figures
from benchmarks.repeats import LEAST_REPEATS
from benchmarks.resampling import any_ten, neighbours, ours, rates
from kairos_lib.runs.files import read_record

SCENARIOS = ("offline", "single-stream")


@pytest.fixture(scope="module")
def recorded() -> Repeats:
    found = read_record(RESULTS / "repeats.json", Repeats)
    assert found is not None
    return found


def test_enough_repeats_are_recorded_and_the_table_names_their_number(recorded: Repeats) -> None:
    assert len(recorded.repeats) >= LEAST_REPEATS
    told = (RESULTS / "repeats.md").read_text(encoding="utf-8")
    assert f"The same bench, {len(recorded.repeats)} times" in told


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_the_same_is_called_different_at_most_one_time_in_twenty(
    recorded: Repeats, scenario: str
) -> None:
    seconds = figures(recorded, len(recorded.videos))[scenario]
    assert rates(list(any_ten(seconds)), ours).different <= 1 / 20
    assert rates(list(neighbours(seconds)), ours).different <= 1 / 20


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_ten_per_cent_slower_is_found_in_five_rounds_at_least_eight_times_in_ten(
    recorded: Repeats, scenario: str
) -> None:
    seconds = figures(recorded, len(recorded.videos))[scenario]
    assert rates(list(neighbours(seconds)), ours).found >= 8 / 10


def test_the_figure_of_several_videos_has_the_ratio_that_comparing_makes_of_them() -> None:
    repeats = [
        [{"offline_s": s, "single_stream_s": [s], "foreign_cores": 0.0} for s in seconds]
        for seconds in ((2.0, 3.0), (4.0, 1.5))
    ]
    made = Repeats.model_validate(
        {
            "model": "m", "videos": ["a", "b"], "scenes": 2, "recorded": "", "machine": {},
            "repeats": repeats,
        }
    )  # fmt: skip
    a, b = figures(made, 2)["offline"]
    # B takes twice as long on the first video and half as long on the second: as long, overall.
    assert b / a == pytest.approx(1.0)
