"""Run folders that another version of Kairos wrote: older ones, and ones to come."""

import json
import shutil
from pathlib import Path
from typing import Any, ClassVar

import pytest

from kairos_lib.errors import KairosError
from kairos_lib.project import Project
from kairos_lib.results import suite
from kairos_lib.results.badges import NEWER, of_base, of_run
from kairos_lib.runs.files import read_record, write_record
from kairos_lib.runs.journal import Journal
from kairos_lib.runs.record import Record
from kairos_lib.vlm.records import Caption, FusedScene

FIRST = Path(__file__).parent / "first_version"
"""A demo run as it was written before records had versions."""


@pytest.fixture
def project(tmp_path: Path) -> Project:
    shutil.copytree(FIRST, tmp_path / "runs")
    return Project(tmp_path)


def test_a_run_of_before_records_had_versions_is_read_whole(project: Project) -> None:
    data = suite.read(project, "demo")
    (base,), (run,) = data.bases, data.runs
    assert (base.outcome.state, run.outcome.state) == ("done", "done")
    assert base.result is not None
    assert run.result is not None
    assert {stage.name for stage in base.result.stages if stage.state == "done"} == {
        "scenes", "audio", "vad", "speech", "slices", "sounds", "objects",
    }  # fmt: skip
    captions = list(Journal(run.folder / "captions.jsonl", Caption))
    assert len(captions) == run.result.offline.scenes == base.result.scenes > 0
    assert NEWER not in of_run(run, data) | of_base(base, data)
    first, second = Journal(run.folder / "fused.jsonl", FusedScene)
    assert [first.scene.index, second.scene.index] == [0, 1]
    assert first.caption == captions[0]
    assert first.segments or second.segments


@pytest.mark.parametrize(
    "damage",
    [{"bases": "all"}, {"runs": [3]}, {"runs": [{"video": "x"}]}, {"schema_version": 2},
     {"schema_version": 2, "steps": [{"kind": "vlm", "video": "x", "folder": "runs/x"}]}],
)  # fmt: skip
def test_a_plan_that_is_none_is_one_line_whichever_version_wrote_it(
    project: Project, damage: dict[str, Any]
) -> None:
    path = project.runs / "suites" / "demo.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | damage))
    with pytest.raises(KairosError, match=r"^[^\n]*demo\.json[^\n]*$"):
        suite.read(project, "demo")


def test_of_a_run_to_come_what_is_known_is_read_and_a_badge_says_so(project: Project) -> None:
    for path in project.runs.rglob("result.json"):
        told = json.loads(path.read_text())
        path.write_text(json.dumps({"schema_version": 2, "joules_of_thought": 3, **told}))
    data = suite.read(project, "demo")
    assert NEWER in of_run(data.runs[0], data)
    assert NEWER in of_base(data.bases[0], data)
    assert data.runs[0].result is not None
    assert data.runs[0].result.model == "nano"


class Shot(Record):
    schema_version: ClassVar[int] = 3
    start_s: float

    @classmethod
    def migrated(cls, data: dict[str, Any], version: int) -> dict[str, Any]:
        if version < 2:
            data["start_ms"] = data.pop("from_ms")
        if version < 3:
            data["start_s"] = data.pop("start_ms") / 1000
        return data


def test_older_records_are_migrated_step_by_step(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "shots.jsonl", Shot)
    lines = [
        {"from_ms": 1500},
        {"schema_version": 2, "start_ms": 2500},
        {"schema_version": 3, "start_s": 3.5},
        {"schema_version": 4, "start_s": 4.5, "fade": 1},
    ]
    journal.path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    shots = list(journal)
    assert [shot.start_s for shot in shots] == [1.5, 2.5, 3.5, 4.5]
    assert [shot.newer for shot in shots] == [False, False, False, True]
    journal.append(Shot(start_s=5.5))
    assert journal.path.read_text().splitlines()[-1] == '{"schema_version":3,"start_s":5.5}'
    write_record(tmp_path / "shot.json", Shot(start_s=6.5))
    assert read_record(tmp_path / "shot.json", Shot) == Shot(start_s=6.5)
    assert json.loads((tmp_path / "shot.json").read_text())["schema_version"] == 3
