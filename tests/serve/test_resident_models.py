"""The models that ship, kept loaded: notebooks' results count, and a second video loads nothing."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks import standins
from benchmarks.served import Served
from kairos_lib.analyzers.profile import Base
from kairos_lib.parameters.loading import load, video
from kairos_lib.parameters.model import Model
from kairos_lib.pipeline.base_session import BaseSession, base_run
from kairos_lib.project import Project
from kairos_lib.vlm.run import vlm_run
from kairos_lib.vlm.vlm_session import VlmSession

pytestmark = [
    pytest.mark.services,
    pytest.mark.skipif(shutil.which("redis-server") is None, reason="needs redis-server"),
]
LIMIT_S = 300.0


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The nano service, in a project with the checkout's parameters and none of its runs."""
    root = tmp_path_factory.mktemp("nano") / "project"
    root.mkdir()
    for name in ("parameters", "notebooks", "kairos_lib"):
        (root / name).symlink_to(standins.CHECKOUT / name)
    threads = {"OMP_NUM_THREADS": os.environ["OMP_NUM_THREADS"]}
    with Served(Project(root), "nano", ("cpu", "vlm"), threads, root / "logs").running() as made:
        yield made


def counted(served: Served) -> dict[str, int]:
    return {
        what: sum(one[what] for one in served.heartbeats())
        for what in ("hits", "loads", "evictions")
    }


def settled(served: Served) -> dict[str, int]:
    """What is counted once all is quiet: heartbeats come once a second."""
    time.sleep(3)
    return counted(served)


def done(served: Served, name: str) -> dict[str, str]:
    job = served.wait(served.add([{"videoPath": name}]), LIMIT_S)[0]
    assert "failedReason" not in job, job["failedReason"]
    return {**json.loads(job["returnvalue"]), "progress": job["progress"]}


def test_results_are_the_runs_of_the_notebooks_and_a_second_video_loads_nothing(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = served.project
    monkeypatch.setenv("KAIROS_ROOT", str(project.root))
    warm = settled(served)
    assert warm["loads"] == 4  # YOLO, the classifier of sounds, Whisper, and the model.
    found = done(served, "demo-recipe")

    film, profile, model = (
        video(project, "demo-recipe"), load(project, Base, "nano"), load(project, Model, "nano"),
    )  # fmt: skip
    base = base_run(project, film, profile)
    assert found["base"] == project.relative(base.folder)
    assert found["vlm"] == project.relative(vlm_run(project, base, film, model, 1).folder)
    # A notebook finds all of it done.
    assert not BaseSession(project, film, profile).unfinished()
    session = VlmSession(project, film, profile, model, repeat=1)
    assert session.load() == "This run is complete: there is nothing to load."
    session.close()

    whole = json.loads((project.root / found["result"]).read_text())
    assert whole["result"]["model"] == "nano"
    assert all(scene["caption"]["text"] for scene in whole["scenes"])
    assert {"transcript", "sounds", "objects"} <= set(whole["scenes"][0])

    before = settled(served)
    second = done(served, "kairos_lib/nano/clips/demo-match.mp4")
    after = settled(served)
    assert second["video"] == "demo-match"  # Known by its path too.
    assert (after["loads"], after["evictions"]) == (warm["loads"], 0)
    assert after["hits"] - before["hits"] == 4


def test_what_a_notebook_has_made_is_not_made_again(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = served.project
    monkeypatch.setenv("KAIROS_ROOT", str(project.root))
    film = video(project, "demo-speech")
    BaseSession(project, film, load(project, Base, "nano")).process()
    job = served.wait(served.add([{"videoPath": "demo-speech", "model": ""}]), LIMIT_S)[0]
    told = json.loads(job["progress"])["analyzers"]
    assert {one["state"] for one in told.values()} == {"reused"}
    assert "vlm" not in told
    assert json.loads(job["returnvalue"])["vlm"] is None


def test_some_analyzers_alone_are_a_run_of_their_own_that_shares_what_is_there(
    served: Served,
) -> None:
    job = served.wait(
        served.add([{"videoPath": "demo-speech", "model": "", "analyzers": ["objects"]}]), LIMIT_S
    )[0]
    told = json.loads(job["progress"])["analyzers"]
    assert told == {
        name: {"state": "reused", "done": 1, "total": 1, "reason": ""}
        for name in ("scenes", "objects")
    }
    result = Path(served.project.root, json.loads(job["returnvalue"])["result"])
    stages = json.loads(result.read_text())["analysis"]["stages"]
    assert [stage["name"] for stage in stages] == ["scenes", "objects"]
