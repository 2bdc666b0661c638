"""What `make events` says before it starts anything, through the public door."""

from __future__ import annotations

import pytest
from click.testing import CliRunner, Result
from helpers.light_meter import TASK
from helpers.projects import write_parameters

from kairos_lib.cli import main
from kairos_lib.project import Project


@pytest.fixture
def ready(unloaded: Project) -> Project:
    write_parameters(unloaded, "events", "light", TASK)
    return unloaded


def planned(*more: str, task: str = "light") -> Result:
    asked = ("--model", "tiny", "--video", "twelve", "--task", task)
    return CliRunner().invoke(main, ["events", *asked, "--dry-run", *more])


def test_slices_come_before_what_puts_them_together(ready: Project) -> None:
    answer = planned("--slices", "2", "--slots", "5")
    lines = [line for line in answer.stdout.splitlines() if line.startswith("run")]
    assert [line.split(":")[0].removeprefix("run").strip() for line in lines] == [
        "events · tiny · twelve · slice 1", "events · tiny · twelve · slice 2",
        "events · tiny · twelve",
    ]  # fmt: skip
    assert len([x for x in planned("--slots", "3").stdout.splitlines() if "slice" in x]) == 6
    assert "slice" not in planned().stdout


def test_other_temperatures_are_asked_beside_the_tasks_own(ready: Project) -> None:
    def labels(*more: str) -> list[str]:
        lines = planned(*more).stdout.splitlines()
        return [line.split(":")[0].removeprefix("run ").strip() for line in lines
                if line.startswith("run")]  # fmt: skip

    one = "events · tiny · twelve"
    warm = f"{one} · temperature 0.7"
    assert labels("--temperatures", "0,0.7") == [one, warm]
    sliced = labels("--temperatures", "0.7,0.7", "--slices", "2")
    assert sliced == [
        f"{one} · slice 1", f"{one} · slice 2", one,
        f"{warm} · slice 1", f"{warm} · slice 2", warm,
    ]  # fmt: skip


def test_a_weight_of_a_model_that_does_not_exist_is_one_line(ready: Project) -> None:
    write_parameters(ready, "events", "light", {**TASK, "model_weights": {"tinny": 2}})
    answer = planned()
    assert answer.exit_code == 2
    assert answer.stderr == (
        "kairos: task light: model_weights: unknown model 'tinny': did you mean 'tiny'?\n"
    )


def test_requests_that_differ_have_reports_of_their_own(ready: Project) -> None:
    def report(*more: str) -> str:
        return planned(*more).stdout.rsplit("reports/", 1)[1].split("/")[0]

    whole = report()
    assert report("--slices", "4") == report("--batch", "3") == whole
    assert len({whole, report("--from", "2"), report("--to", "9"), report("--from", "3")}) == 4


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (("--from", "1:30"), "no window begins from 90 s on: twelve is 12.0 s long"),
        (("--from", "soon"), "FROM must be seconds or H:MM:SS"),
        (("--from", "9", "--to", "5"), "TO=5 is not after FROM=9"),
        (("--temperatures", "0,warm"), "TEMPERATURES must be numbers from 0 to 5, such as 0,0.7"),
        (("--slices", "none"), "SLICES must be a whole number"),
        (("--on", "slurm:none"), "unknown cluster 'none'"),
    ],
)
def test_what_cannot_be_is_one_line(ready: Project, asked: tuple[str, ...], said: str) -> None:
    answer = planned(*asked)
    assert answer.exit_code == 2
    (line,) = answer.stderr.splitlines()
    assert said in line


def test_a_mistyped_task_is_one_line_with_the_nearest(ready: Project) -> None:
    answer = planned(task="ligth")
    assert answer.exit_code == 2
    assert answer.stderr == (
        "kairos: unknown task of event spotting 'ligth': did you mean 'light'? (known: light)\n"
    )


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"instruction": "What happens?"}, "must say {labels}"),
        ({"labels": {"Goal": ["goal"], "goal ": []}}, "names both 'Goal' and 'goal '"),
        ({"labels": {}}, "labels"),
        ({"windows": {"frames": 0}}, "windows.frames"),
        ({"sampling": {"top_p": 0}}, "sampling.top_p"),
        ({"model_weights": {"tiny": -1}}, "model_weights.tiny"),
    ],
)
def test_a_task_that_cannot_be_asked_is_one_line(
    ready: Project, change: dict[str, object], said: str
) -> None:
    write_parameters(ready, "events", "light", {**TASK, **change})
    answer = planned()
    assert answer.exit_code == 2
    (line,) = answer.stderr.splitlines()
    assert "parameters/events/light.yaml" in line
    assert said in line


def test_a_ground_truth_that_cannot_be_read_leaves_the_video_out(ready: Project) -> None:
    video = {"title": "Twelve", "path": "videos/twelve.mp4", "events": "videos/none.csv"}
    write_parameters(ready, "videos", "twelve", video)
    answer = planned()
    assert answer.exit_code == 2
    assert "videos/none.csv: there is no such file (events of video twelve)" in answer.stderr
