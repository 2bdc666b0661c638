"""`kairos reproduce`: a run made again from its record, wherever the checkout has gone since."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner
from helpers.clips import COLOURS, write_clip
from helpers.compared import change_json
from helpers.projects import fill, make_project, served_model, write_parameters
from helpers.sessions import run_all
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from kairos_lib.cli import main
from kairos_lib.commands.reproduce import lines
from kairos_lib.errors import KairosError
from kairos_lib.names import showable
from kairos_lib.pipeline.base_session import BaseSession
from kairos_lib.project import Project
from kairos_lib.reproduce.outcome import outcome
from kairos_lib.reproduce.rebuild import Rebuilt, rebuild
from kairos_lib.reproduce.record import read_run
from kairos_lib.runs.journal import Journal
from kairos_lib.runs.notebook_code import cells_hash
from kairos_lib.runs.run import key_of
from kairos_lib.vlm.records import Caption, PlannedBatch
from kairos_lib.vlm.vlm_session import VlmSession


@pytest.fixture(scope="module")
def recorded(
    tmp_path_factory: pytest.TempPathFactory, clip: Path, llava_weights: Path
) -> tuple[Project, Path]:
    """A project with one finished run, and the run's folder."""
    project = make_project(tmp_path_factory.mktemp("reproduce") / "project")
    fill(project, clip, llava_weights)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KAIROS_ROOT", str(project.root))
        BaseSession.open("twelve", "plain").process()
        session = VlmSession.open("tiny", "twelve", "plain")
        run_all(session)
    _as_executed(project, session.run.folder)
    return project, session.run.folder


def _as_executed(project: Project, folder: Path) -> None:
    """The notebook as a runner leaves it: with the parameters that it was given, and outputs."""
    notebook = json.loads((project.notebooks / "vlm.ipynb").read_text())
    given = {
        "cell_type": "code", "source": ["repeat = 7"], "execution_count": 2, "outputs": [],
        "metadata": {"tags": ["injected-parameters"]},
    }  # fmt: skip
    notebook["cells"].insert(2, given)
    notebook["cells"][-1]["outputs"] = [{"output_type": "stream", "name": "stdout", "text": "x"}]
    (folder / "notebook.ipynb").write_text(json.dumps(notebook))


@pytest.fixture
def old(recorded: tuple[Project, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The run in a project of the test's own."""
    project, folder = recorded
    shutil.copytree(project.root, tmp_path / "project", symlinks=True)
    monkeypatch.setenv("KAIROS_ROOT", str(tmp_path / "project"))
    return tmp_path / "project" / folder.relative_to(project.root)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def again(rebuilt: Rebuilt, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make the run again as its notebook would, in this process."""
    monkeypatch.setenv("KAIROS_ROOT", str(rebuilt.project.root))
    session = VlmSession.open(**rebuilt.job.parameters)
    run_all(session)
    assert session.run.folder == rebuilt.job.run.folder
    return session.run.folder


@pytest.mark.services
def test_a_run_made_again_in_a_kernel_writes_the_same_and_leaves_the_old_one_alone(
    old: Path,
) -> None:
    before = contents(old)
    answer = subprocess.run(
        [sys.executable, "-m", "kairos_lib.cli", "reproduce", str(old)],
        env=dict(os.environ), capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert answer.returncode == 0, answer.stderr + answer.stdout
    assert "captions, offline: the same in 12 scenes" in answer.stdout
    assert "captions, single-stream: the same in 3 scenes" in answer.stdout
    assert "counts of scenes and tokens: the same" in answer.stdout
    assert "over 3 scenes" in answer.stdout
    assert "not the same" not in answer.stdout
    assert answer.stdout.splitlines()[-1].startswith("reproduced")
    assert contents(old) == before
    (made,) = Project.find().runs.glob("reproduced/*")
    assert list(made.glob("runs/vlm/tiny/twelve/*/r001/notebook.ipynb"))


def rekeyed(folder: Path, **values: Any) -> Path:
    """A record of other key_inputs, in the folder that such a run would have."""
    change_json(folder / "key.json", **values)
    key = key_of(json.loads((folder / "key.json").read_text()))
    change_json(folder / "result.json", key=key)
    made = folder.parent.with_name(key)
    folder.parent.rename(made)
    return made / folder.name


def test_parameters_and_batches_are_those_of_the_record(
    old: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = Project.find()
    model = project.parameters / "models" / "tiny.yaml"
    model.write_text(model.read_text().replace("max_new_tokens: 8", "max_new_tokens: 2"))
    (project.parameters / "base" / "plain.yaml").unlink()
    batches = [PlannedBatch(scenes=tuple(range(n, n + 3)), limit=3) for n in (0, 3, 6, 9)]
    Journal(old / "batches.jsonl", PlannedBatch).write_all(iter(batches))
    rebuilt = rebuild(project, read_run(old))
    assert rebuilt.changed == ()
    made = again(rebuilt, monkeypatch)
    found = outcome(old, made)
    assert found.same
    assert {one.batch_size for one in Journal(made / "captions.jsonl", Caption)} == {3}


def theirs(folder: Path, source: str, key: bool = True) -> Path:
    """A record whose notebook has another last cell, and whose hash goes with it."""
    notebook = json.loads((folder / "notebook.ipynb").read_text())
    notebook["cells"][-1]["source"] = [source]
    (folder / "notebook.ipynb").write_text(json.dumps(notebook))
    bare = {"cells": [c for c in notebook["cells"] if "injected" not in str(c["metadata"])]}
    return rekeyed(folder, notebook=cells_hash(bare)) if key else folder


def test_code_of_a_record_is_run_only_where_the_user_trusts_it(
    old: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its hash goes with it, so that it vouches for nothing."""
    project = Project.find()
    old = theirs(old, "raise SystemExit  #theirs")
    with pytest.raises(KairosError, match=r"is not that of this checkout: its cell \d of code is"):
        rebuild(project, read_run(old))
    answer = CliRunner().invoke(main, ["reproduce", str(old)])
    assert (answer.exit_code, len(answer.stderr.splitlines())) == (2, 1)
    assert "'raise SystemExit #theirs', ours 'session" in answer.stderr
    assert "TRUST_NOTEBOOK=1" in answer.stderr
    assert not (project.runs / "reproduced").exists()
    trusted = rebuild(project, read_run(old), trust_notebook=True).job.notebook
    assert "raise SystemExit" in trusted.read_text()
    assert "repeat = 7" not in trusted.read_text()
    assert not any(cell.get("outputs") for cell in json.loads(trusted.read_text())["cells"])


def test_where_the_cells_are_equal_the_checkouts_notebook_is_run(old: Path) -> None:
    """A cell that is called parameters is in no hash, and could hold anything."""
    project = Project.find()
    path = old / "notebook.ipynb"
    notebook = json.loads(path.read_text())
    evil = {"cell_type": "code", "source": "import evil", "metadata": {"tags": ["parameters"]}}
    path.write_text(json.dumps({**notebook, "cells": [evil, *notebook["cells"]]}))
    made = rebuild(project, read_run(old), trust_notebook=True).job.notebook
    assert json.loads(made.read_text()) == json.loads((project.notebooks / "vlm.ipynb").read_text())


def test_a_notebook_that_is_not_of_its_record_is_never_run(old: Path) -> None:
    project = Project.find()
    theirs(old, "import evil", key=False)
    old = rekeyed(old, notebook="0" * 16)
    rebuilt = rebuild(project, read_run(old), trust_notebook=True)
    assert "evil" not in rebuilt.job.notebook.read_text()
    assert any(line.startswith("notebook: ") for line in rebuilt.changed)


def test_a_run_made_again_is_given_no_secrets(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "HF_TOKEN", "AWS_SECRET_ACCESS_KEY", "DB_PASSWORD"):
        monkeypatch.setenv(name, "secret")
    withheld = rebuild(Project.find(), read_run(old)).job.withheld
    assert {"OPENAI_API_KEY", "HF_TOKEN", "AWS_SECRET_ACCESS_KEY", "DB_PASSWORD"} <= withheld
    assert not {"PATH", "HOME", "KAIROS_ROOT"} & withheld


def test_a_record_whose_server_is_another_is_not_sent_the_users_key(old: Path) -> None:
    project = Project.find()
    values = served_model("m", {"base_url": None})
    write_parameters(project, "models", "tiny", values)
    key = json.loads((old / "key.json").read_text())
    told = {"server": {"base_url": "https://evil.example"}, "weights": values["weights"]}
    dropped = [n for n in key["parameters"] if n not in ("dtype", "device")]
    own = {n: key["parameters"][n] for n in dropped}
    old = rekeyed(old, parameters={**own, **told, "family": "openai"}, weights="m")
    with pytest.raises(KairosError, match=r"server was 'https://evil.example', and .* names None"):
        rebuild(project, read_run(old))


paths = st.text(st.sampled_from(list("./\\ab\0\x1b\n ~$é")), max_size=12) | st.sampled_from(
    ["../../..", "/etc", "..", ".", "", "a/b", "a\\b", "x" * 300, "\x1b[2J", "rNNN", "con", "~"]
)


@settings(
    derandomize=True, deadline=None, max_examples=40,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)  # fmt: skip
@given(where=st.sampled_from(["model", "video", "key", "base"]), path=paths)
@example(where="model", path="../../..")
@example(where="base", path="../../../elsewhere")
def test_names_in_a_record_lead_nowhere(old: Path, where: str, path: str) -> None:
    """One line, and nothing is made outside of the folder of runs, nor in it."""
    kept = {name: (old / name).read_bytes() for name in ("result.json", "key.json")}
    outside = sorted(p for p in Project.find().root.parent.rglob("*"))
    try:
        change_json(old / ("key.json" if where == "base" else "result.json"), **{where: path})
        with pytest.raises(KairosError) as caught:
            rebuild(Project.find(), read_run(old))
        assert showable(str(caught.value).replace("\n", ""))
    finally:
        for name, content in kept.items():
            (old / name).write_bytes(content)
    assert sorted(p for p in Project.find().root.parent.rglob("*")) == outside


@pytest.mark.parametrize("of_base", [False, True])
def test_a_record_in_the_folder_of_another_key_is_refused(old: Path, of_base: bool) -> None:
    record = read_run(old)
    change_json((record.base if of_base else old) / "key.json", extra=1)
    with pytest.raises(KairosError, match=r"does not match its contents: by its key.json"):
        read_run(old)


def test_what_differs_is_said_by_scene_and_count(
    old: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = tmp_path / "made"
    shutil.copytree(old, made)
    captions = Journal(made / "captions.jsonl", Caption)
    told = [
        one.model_copy(update={"text": "Otherwise."}) if one.scene in (2, 5) else one
        for one in captions
    ]
    captions.write_all(iter(told[:-1]))
    result = json.loads((made / "result.json").read_text())
    result["offline"] |= {"scenes": 11, "time_s": 2 * result["offline"]["time_s"]}
    (made / "result.json").write_text(json.dumps(result))
    page = list(lines(outcome(old, made)))
    assert "captions, offline: 3 of 12 scenes differ: 3, 6, 12" in page
    assert "captions, single-stream: the same in 3 scenes" in page
    assert "count, offline.scenes: 12 → 11" in page
    assert any("VLM time" in line and "ratio 2.000 (one run each" in line for line in page)
    assert any("ratio 1.000 [1.000, 1.000] over 3 scenes" in line for line in page)
    assert page[-1].startswith("differs")


def test_libraries_machine_and_code_that_are_not_the_same_are_named_before_it_runs(
    old: Path,
) -> None:
    noted = json.loads((old / "provenance.json").read_text())
    noted["packages"]["torch"] = "1.0"
    noted["machine"]["cpu"] = "Another CPU"
    change_json(old / "provenance.json", **noted)
    old = rekeyed(old, engine=0)
    changed = rebuild(Project.find(), read_run(old)).changed
    assert [line.split(" →")[0] for line in changed] == [
        "engine: 0", "machine.cpu: Another CPU", "packages.torch: 1.0",
    ]  # fmt: skip


def test_another_video_or_other_weights_cannot_reproduce_a_run(old: Path) -> None:
    project = Project.find()
    video = project.root / "videos" / "twelve.mp4"
    video.rename(project.root / "moved.mp4")
    with pytest.raises(KairosError, match="say where with VIDEO="):
        rebuild(project, read_run(old))
    write_clip(video, COLOURS[:2])
    with pytest.raises(KairosError, match="is not the video of the run: its SHA-256 is"):
        rebuild(project, read_run(old))
    moved = str(project.root / "moved.mp4")
    assert rebuild(project, read_run(old), moved).changed == ()
    old = rekeyed(old, weights="0" * 64)
    with pytest.raises(KairosError, match="the weights of tiny are not those of the run"):
        rebuild(project, read_run(old), moved)
    model = project.parameters / "models" / "tiny.yaml"
    values = yaml.safe_load(model.read_text())
    values["weights"]["id"] = "no/where"
    model.write_text(yaml.safe_dump(values))
    with pytest.raises(KairosError, match="the weights of tiny are not here"):
        rebuild(project, read_run(old), moved)


def test_parameters_that_mean_nothing_any_more_are_one_line(old: Path) -> None:
    key = json.loads((old / "key.json").read_text())
    key["parameters"]["generation"]["min_length"] = 3
    old = rekeyed(old, **key)
    with pytest.raises(KairosError, match=r"unknown key 'generation.min_length'"):
        rebuild(Project.find(), read_run(old))


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("", "RUN is not given"),
        ("no/where", "no/where is not there"),
        ("runs/vlm/tiny", "is not one run: name one in it, such as twelve/"),
        ("runs/base/twelve", "is not a run of a model"),
        ("{run}/..", "is not one run"),
    ],
)
def test_what_cannot_be_made_again_is_one_line(
    old: Path, monkeypatch: pytest.MonkeyPatch, given: str, expected: str
) -> None:
    monkeypatch.chdir(Project.find().root)
    answer = CliRunner().invoke(main, ["reproduce", given.format(run=old)])
    assert answer.exit_code == 2
    (line,) = answer.stderr.splitlines()
    assert expected in line


def test_a_run_without_result_or_base_cannot_be_made_again(old: Path) -> None:
    shutil.rmtree(Project.find().runs / "base")
    with pytest.raises(KairosError, match=r"it needs .*, which is gone"):
        read_run(old)
    (old / "result.json").unlink()
    with pytest.raises(KairosError, match="failed or was cut short"):
        read_run(old)
