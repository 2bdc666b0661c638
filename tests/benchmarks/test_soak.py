"""A process that grows, or that is another one than before, does not pass as one that did not."""

from collections.abc import Mapping

import pytest

from benchmarks.soak import Sample, Soaked
from kairos_lib.errors import KairosError

MINUTES = 30


def soaked(jobs: Mapping[str, int], **growth: float) -> Soaked:
    """Processes that hold 100 MiB, and at the end what their growth says."""
    samples = [
        Sample(60.0 * minute, name, 100 * (1 + by * minute / MINUTES))
        for minute in range(MINUTES + 1)
        for name, by in {"Redis (1)": 0.0, **growth}.items()
    ]
    return Soaked(tuple(samples), jobs, float(MINUTES))


def test_processes_that_hold_what_they_held_after_ten_minutes_pass() -> None:
    soaked({"done": 9}, **{"api (2)": 0.05, "models of worker cpu (3)": -0.05}).check()


@pytest.mark.parametrize("by", [0.5, -0.5])
def test_one_that_grew_or_shrank_by_more_than_a_tenth_does_not(by: float) -> None:
    with pytest.raises(KairosError, match=r"api \(2\) held .* at the end"):
        soaked({"done": 9}, **{"api (2)": by}).check()


def test_one_that_was_replaced_does_not() -> None:
    whole = soaked({"done": 9}, **{"api (2)": 0.0})
    late = tuple(
        Sample(one.time_s, one.process.replace("(2)", "(9)"), one.rss_mib)
        if one.time_s > 900
        else one
        for one in whole.samples
    )
    with pytest.raises(KairosError, match="was not there all the time"):
        Soaked(late, whole.jobs, whole.minutes).check()


def test_a_job_that_was_not_done_does_not() -> None:
    with pytest.raises(KairosError, match="not all jobs"):
        soaked({"done": 8, "failed": 1}).check()


def test_redis_is_told_by_the_job() -> None:
    found = soaked({"done": 29}, **{"api (2)": 0.0})
    grown = tuple(
        Sample(one.time_s, one.process, 100 + one.time_s / 60) if "Redis" in one.process else one
        for one in found.samples
    )
    # The median of a minute's two samples lies half a minute before its end.
    assert Soaked(grown, found.jobs, found.minutes).redis_kib_a_job() == pytest.approx(1024)
