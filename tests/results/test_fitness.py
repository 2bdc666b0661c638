"""Which runs count: the verdict and `kairos compare` go by one rule and never disagree."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from click.testing import CliRunner
from helpers.suites import MACHINE, SuiteMaker, scenario
from hypothesis import given, settings
from hypothesis import strategies as st

from kairos_lib.cli import main
from kairos_lib.measure.usage import Resources
from kairos_lib.project import Project
from kairos_lib.report.sections.verdict import Finding, findings
from kairos_lib.results.suite import read

ROUNDS = 5
LOST = scenario("offline", 3, 5.0, failed=2)
LOST_ALONE = scenario("single-stream", 3, 7.0, failed=1)
RESUMED_ALONE = scenario("single-stream", 3, 7.0, parts=2)
PART_ONLY = scenario("offline", 2, 5.0)
ANOTHER = {**MACHINE, "cpu": "Another CPU"}


def unfinished(maker: SuiteMaker, model: str, video: str, repeat: int) -> None:
    (maker.failed(model, model.upper(), video, repeat) / "status.json").unlink()


def not_run(maker: SuiteMaker, model: str, video: str, repeat: int) -> None:
    maker.plan(model, model.upper(), video, repeat, problem="no weights")


def out_of_memory(maker: SuiteMaker, model: str, video: str, repeat: int) -> None:
    maker.failed(model, model.upper(), video, repeat)


def with_(**done: object) -> Callable[[SuiteMaker, str, str, int], None]:
    def make(maker: SuiteMaker, model: str, video: str, repeat: int) -> None:
        maker.done(model, model.upper(), video, repeat, time_s=5.0, **done)

    return make


CAUSES = {
    "failed (out of memory)": out_of_memory,
    "is unfinished": unfinished,
    "was not run": not_run,
    "has scenes without a caption": with_(offline=LOST),
    "has scenes without a caption ": with_(single_stream=LOST_ALONE),
    "has scenes without a caption  ": with_(offline=PART_ONLY),
    "was interrupted and resumed": with_(parts=2),
    "was interrupted and resumed ": with_(single_stream=RESUMED_ALONE),
    "has no time": with_(offline=scenario("offline", 3, 0.0)),
    "was made on another machine than most of its suite": with_(machine=ANOTHER),
}
"""What is said of a run, and how to make one."""


def verdict_of(project: Project) -> dict[str, Finding]:
    return {one.question: one for one in findings(read(project, "demo"))}


def compared(project: Project, a: str, b: str) -> dict[str, object]:
    """`kairos compare` of two models as JSON; with its error where it cannot."""
    runner = CliRunner(env={"KAIROS_ROOT": str(project.root)})
    answer = runner.invoke(main, ["compare", f"demo:{a}", f"demo:{b}", "--json"])
    return json.loads(answer.stdout) if answer.stdout else {"error": answer.stderr}


def decided(found: dict[str, object], measure: str) -> dict[str, object]:
    """The row that decides over all videos."""
    (*_, row) = [row for row in found["rows"] if row["measure"] == measure]  # type: ignore[attr-defined]
    return row


def spoilt(folder: Path, cause: str) -> Project:
    """A suite of three models, of which no run of `b` counts."""
    maker = SuiteMaker(folder)
    maker.base()
    for number in range(1, 4):
        maker.done("a", "A", repeat=number, time_s=20 + number / 10)
        maker.done("c", "C", repeat=number, time_s=40)
        CAUSES[cause](maker, "b", "match", number)
    return maker.write()


@pytest.mark.parametrize("cause", CAUSES)
def test_a_model_that_does_not_count_is_not_ranked(tmp_path: Path, cause: str) -> None:
    told = verdict_of(spoilt(tmp_path, cause))
    assert told["Not ranked"].answer == f"B {cause.strip()}, on Match."
    assert told["Speed"].model == "A"
    assert "B" not in [one.model for one in told.values()]


@pytest.mark.parametrize("cause", CAUSES)
def test_a_model_that_does_not_count_is_not_compared(tmp_path: Path, cause: str) -> None:
    refused = compared(spoilt(tmp_path, cause), "a", "b")
    assert f"a, match, round 1: B {cause.strip()}" in str(refused["error"])


@pytest.mark.parametrize("cause", CAUSES)
def test_a_round_that_does_not_count_is_left_out_of_both_and_said(
    tmp_path: Path, cause: str
) -> None:
    maker = SuiteMaker(tmp_path)
    maker.base()
    for number in range(1, ROUNDS + 1):
        maker.done("a", "A", repeat=number, time_s=20 + number / 10)
        if number == 2:
            CAUSES[cause](maker, "b", "match", number)
        else:
            maker.done("b", "B", repeat=number, time_s=40)
    told = verdict_of(maker.write())
    assert told["Left out"].answer == f"B {cause.strip()}, on Match in round 2."
    assert told["Speed"].model == "A"
    assert "4 rounds" in told["Speed"].answer
    found = compared(maker.project, "a", "b")
    assert found["left_out"] == [f"a, match, round 2: B {cause.strip()}"]
    row = decided(found, "vlm_time")
    assert (row["rounds"], row["verdict"]) == (4, "slower")
    assert f"{row['ratio']:.2f} times as fast" in told["Speed"].answer


OUTCOMES = st.sampled_from([None, None, None, *CAUSES])
ROUND = st.tuples(OUTCOMES, st.floats(0.9, 1.15), st.sampled_from([1000.0, 1001.0, 1100.0]))
VIDEO = st.lists(st.tuples(ROUND, ROUND), min_size=3, max_size=4)


@settings(derandomize=True, deadline=None, max_examples=25)
@given(videos=st.lists(VIDEO, min_size=1, max_size=2), times=st.sampled_from([1.0, 1.5]))
def test_whatever_becomes_of_the_runs_the_verdict_and_compare_agree(
    videos: list, times: float
) -> None:
    with TemporaryDirectory() as folder:
        maker = SuiteMaker(Path(folder))
        for name, rounds in zip(("match", "recipe"), videos, strict=False):
            maker.base(name, name.title(), scenes=3)
            for number, both in enumerate(rounds, start=1):
                for model, (cause, factor, mib) in zip("ab", both, strict=True):
                    if cause:
                        CAUSES[cause](maker, model, name, number)
                    else:
                        factor *= times if model == "b" else 1.0
                        mib *= times if model == "b" else 1.0
                        used = Resources(samples=9, peak_ram_mib=mib)
                        maker.done(
                            model, model.upper(), name, number, time_s=10 * factor, resources=used
                        )
        told = verdict_of(maker.write())
        found = compared(maker.project, "a", "b")
    ranked = "Speed" in told and "Not ranked" not in told
    if "error" in found:
        assert not ranked or "fewer than 3 rounds" in told["Speed"].answer
        return
    for question, measure in (("Speed", "vlm_time"), ("Memory", "peak_memory")):
        shown = {"slower": "A", "more": "A", "faster": "B", "less": "B"}
        said = decided(found, measure)["verdict"]
        if ranked and "depends on the video" not in told[question].answer:
            assert told[question].model == shown.get(str(said), "")
    if ranked and not told["Speed"].model:
        assert "fastest" not in told["Mixed use"].answer
    if ranked and not told["Memory"].model:
        assert "least memory" not in told["Mixed use"].answer
    if ranked and "Not counted" not in told:
        left_out = found["left_out"]
        assert isinstance(left_out, list)
        lost = {(line.split(", ")[1], line.split("round ")[1][0]) for line in left_out}
        spoilt = {
            (name, str(number))
            for name, rounds in zip(("match", "recipe"), videos, strict=False)
            for number, both in enumerate(rounds, start=1)
            if any(cause for cause, *_ in both)
        }
        assert lost == spoilt
