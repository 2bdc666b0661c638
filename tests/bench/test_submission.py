"""What a collector decides, and what a user is shown of a submission; without SLURM."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from click.testing import CliRunner
from helpers.submissions import (
    ended,
    small_submission,
    submitted,
    verdicts,
)

from kairos_lib.bench.status_lines import Seen, expected_s, lines
from kairos_lib.bench.submission import (
    Attempt,
    Ended,
    Fate,
    Place,
    newest,
)
from kairos_lib.bench.verdicts import Next
from kairos_lib.cli import main
from kairos_lib.errors import KairosError
from kairos_lib.launch.slurm import Queued
from kairos_lib.project import Project


@pytest.fixture
def place(project: Project) -> Place:
    """Two tasks, and four that need one or the other."""
    return small_submission(project)


def test_what_may_end_otherwise_is_tried_again_and_an_error_is_not(place: Place) -> None:
    submitted(place, 1, 1, 2, 3, 4, 5)
    ended(place, 2, 1, "done")
    ended(place, 3, 1, "error", "no words for it")
    ended(place, 4, 1, "limit")
    # The last one's node never wrote a word.
    assert verdicts(place).following(1, 1) == Next(1, 2, (4, 5))


@pytest.mark.parametrize("fate", ["kernel_died", "oom", "timeout", "cancelled", "refused"])
def test_nothing_is_tried_more_often_than_the_file_says(place: Place, fate: Fate) -> None:
    for attempt in (1, 2, 3):
        submitted(place, 1, attempt, 2)
        ended(place, 2, attempt, fate)
    assert verdicts(place).following(1, 2) == Next(1, 3, (2,))
    assert verdicts(place).following(1, 3) is None


def test_the_next_wave_is_without_those_whose_needs_failed(place: Place) -> None:
    submitted(place, 0, 1, 0, 1)
    ended(place, 0, 1, "error")
    ended(place, 1, 1, "done")
    assert verdicts(place).following(0, 1) == Next(1, 1, (4, 5))
    standings = verdicts(place).standings([])
    assert [standing.state for standing in standings] == [
        "failed", "done", "blocked", "blocked", "waiting", "waiting",
    ]  # fmt: skip
    assert standings[2].why == "the a failed"


def test_nothing_comes_after_a_wave_that_failed_whole(place: Place) -> None:
    submitted(place, 0, 1, 0, 1)
    for number in (0, 1):
        ended(place, number, 1, "error")
    assert verdicts(place).following(0, 1) is None


def test_a_task_that_is_done_stays_done_whatever_a_later_attempt_says(place: Place) -> None:
    submitted(place, 0, 1, 0)
    submitted(place, 0, 2, 0)
    ended(place, 0, 1, "done")
    assert verdicts(place).fate(0)[0] == "done"


@pytest.mark.parametrize(
    ("log", "began", "expected"),
    [
        ("slurmstepd: error: *** JOB 11 CANCELLED AT x DUE TO TIME LIMIT ***", True, "limit"),
        ("slurmstepd: error: *** JOB 11 CANCELLED AT x ***", False, "cancelled"),
        ("module: command not found", False, "gone"),
        (None, False, "gone"),
        ("scenes 3/100", True, "killed"),
    ],
)
def test_one_that_could_not_say_how_it_ended_is_judged_by_its_log(
    place: Place, log: str | None, began: bool, expected: str
) -> None:
    submitted(place, 1, 1, 2)
    if began:
        place.write_attempt(2, 1, Attempt(state="running"))
    if log:
        (place.folder / "logs").mkdir()
        (place.folder / "logs" / "11_2.txt").write_text(log + "\n")
    assert verdicts(place).fate(2)[0] == expected
    assert verdicts(place).following(1, 1) == Next(1, 2, (2,))


def shown(project: Project, place: Place, queued: Sequence[Queued] | None, why: str = "") -> str:
    return "\n".join(lines(project, Seen(verdicts(place), queued, why)))


def test_a_table_counts_all_and_names_what_is_not_as_it_should_be(
    project: Project, place: Place
) -> None:
    submitted(place, 0, 1, 0, 1)
    for number in (0, 1):
        ended(place, number, 1, "done")
    submitted(place, 1, 1, 2, 3, 4, 5)
    ended(place, 2, 1, "done")
    ended(place, 3, 1, "error", "no words for it")
    place.write_attempt(4, 1, Attempt(state="running", host="n7"))
    queued = [Queued("11", 4, "RUNNING", "None"), Queued("911", None, "PENDING", "Dependency")]
    told = shown(project, place, queued)
    assert "0 first" in told
    assert "3 a2: error: no words for it" in told
    assert "4 b1: on n7" in told
    assert "5 b2: ended before it began (attempt 1 of 3)" in told
    # Two that are left, and two may run at once.
    assert "expected: 1.0 min more" in told
    assert "job 911 looks at what became of them" in told
    assert "nothing more will come: job 911 is gone" in shown(project, place, [])


def test_without_slurm_the_table_says_that_it_cannot_ask(
    project: Project, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    submitted(place, 0, 1, 0, 1)
    place.write_attempt(0, 1, Attempt(state="running", host="n7"))
    monkeypatch.setenv("PATH", "/nowhere")
    answer = CliRunner().invoke(main, ["status"])
    assert answer.exit_code == 0, answer.stderr
    assert "suite s on slurm:here, runs/slurm/s/1" in answer.stdout
    assert "the queue cannot be asked (squeue is not installed here" in answer.stdout
    assert "running 0 a: on n7" in answer.stdout


def test_hours_are_not_guessed_of_a_wave_of_which_nothing_is_known(place: Place) -> None:
    submitted(place, 0, 1, 0, 1)
    found = verdicts(place)
    assert expected_s(found, found.standings([])) is None


def test_one_that_has_ended_says_where_its_report_is(project: Project, place: Place) -> None:
    submitted(place, 0, 1, 0, 1)
    place.end(Ended(failed=4, report="reports/s/index.html", problem="sbatch refused: no"))
    told = shown(project, place, None)
    assert "ended: 2 of 6 tasks done; sbatch refused: no" in told
    assert "report: reports/s/index.html" in told
    assert "2 a1: was never submitted" not in told  # It is blocked, which says more.


def test_what_was_never_handed_over_is_one_line(project: Project, place: Place) -> None:
    with pytest.raises(KairosError, match="no suite 'x' was handed to a cluster"):
        newest(project, "x")
    answer = CliRunner().invoke(main, ["status", "--suite", "sx"])
    assert (answer.exit_code, len(answer.stderr.splitlines())) == (2, 1)
