"""The result file: written once, whoever is faster, and whole whenever it is there."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from helpers.projects import PLAIN_BASE, make_project, write_parameters

from kairos_lib.analyzers.profile import Base
from kairos_lib.parameters.loading import load, video
from kairos_lib.pipeline.base_session import BaseSession
from kairos_lib.serve import result_file
from kairos_lib.serve.result_file import write_result


@pytest.fixture
def session(tmp_path: Path, clip: Path) -> BaseSession:
    project = make_project(tmp_path / "project")
    write_parameters(project, "base", "plain", dict(PLAIN_BASE))
    return BaseSession(project, video(project, str(clip)), load(project, Base, "plain"))


def test_the_first_to_write_it_counts_and_nobody_changes_it(
    session: BaseSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    result, folder, project = session.complete(), session.run.folder, session.project
    write = result_file.write_object

    def overtaken(path: Path, *rest: object) -> object:
        written = write(path, *rest)
        key = path.name.split(".")[1]
        path.with_name(f"{key}.json").write_text("the other's")
        return written

    monkeypatch.setattr(result_file, "write_object", overtaken)
    path = write_result(project, folder, result, None)
    assert path.read_text() == "the other's"
    assert write_result(project, folder, result, None) == path
    assert [one.name for one in path.parent.iterdir()] == [path.name]


def test_it_holds_every_scene_and_the_paths_of_its_runs(session: BaseSession) -> None:
    result = session.complete()
    whole = json.loads(write_result(session.project, session.run.folder, result, None).read_text())
    assert len(whole["scenes"]) == result.scenes == 12
    assert whole["result"]["base"] == session.project.relative(session.run.folder)
    assert whole["result"]["vlm"] is None
    assert all(scene["caption"] is None for scene in whole["scenes"])
