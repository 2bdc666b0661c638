"""Names and paths that came from elsewhere: none leads out of where it belongs."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from helpers.suites import SuiteMaker
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from kairos_lib.cli import main
from kairos_lib.errors import KairosError
from kairos_lib.names import inside, is_name, showable
from kairos_lib.project import Project
from kairos_lib.report.report_session import analysis_run
from kairos_lib.results import suite as suites
from kairos_lib.runs.manifest import PlannedStep

SEEDED = settings(
    derandomize=True,
    deadline=None,
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
paths = st.text(st.sampled_from(list("./\\ab\0\x1b\n ~é")), max_size=14) | st.sampled_from(
    ["../../..", "/etc", "..", ".", "a/../../b", "runs/../..", "x" * 300, "link", "link/in", "loop"]
)


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A checkout with a suite of one video and one model, and links that lead out of its runs."""
    root = tmp_path_factory.mktemp("elsewhere")
    (root / "secret" / "in").mkdir(parents=True)
    (root / "secret" / "notebook.ipynb").write_text("{}")
    maker = SuiteMaker(root)
    maker.base()
    maker.done()
    maker.further.append(PlannedStep(kind="digest", video="match", folder="runs/digest"))
    project = maker.write()
    (project.runs / "link").symlink_to(root / "secret")
    (project.runs / "loop").symlink_to(project.runs / "loop")
    return project


@SEEDED
@given(path=paths)
def test_what_is_inside_is_decided_after_links_are_followed(elsewhere: Project, path: str) -> None:
    runs = elsewhere.runs
    try:
        found = inside(runs, path, "a record")
    except KairosError as error:
        assert showable(str(error))
        return
    assert found.resolve().is_relative_to(runs.resolve())


@SEEDED
@given(name=paths)
@example(name="nano-4bit")
@example(name="pâtes 2")
def test_a_name_is_one_folders(tmp_path: Path, name: str) -> None:
    if is_name(name):
        made = tmp_path / name
        made.mkdir(exist_ok=True)
        assert made.resolve().parent == tmp_path.resolve()
    else:
        assert not name.strip(" .") or set(name) & set("/\\\0\x1b\n") or len(name.encode()) > 200


@SEEDED
@given(
    where=st.sampled_from(
        [("base", "video"), ("base", "folder"), ("base", "references"), ("vlm", "video"),
         ("vlm", "model"), ("vlm", "folder"), ("digest", "video"), ("digest", "folder")]
    ),
    path=paths,
)  # fmt: skip
@example(where=("vlm", "folder"), path="runs/link")
@example(where=("vlm", "folder"), path="../secret")
@example(where=("digest", "folder"), path="../secret")
@example(where=("vlm", "model"), path="../../..")
@example(where=("base", "references"), path="../secret/notebook.ipynb")
def test_a_plan_of_somebody_elses_names_nothing_outside_of_its_runs(
    elsewhere: Project, where: tuple[str, str], path: str
) -> None:
    """Read here or from another checkout, it is one line, and no notebook of ours is shown."""
    written = elsewhere.runs / "suites" / "demo.json"
    kept = written.read_text()
    plan = json.loads(kept)
    (step,) = (step for step in plan["steps"] if step["kind"] == where[0])
    step[where[1]] = path
    written.write_text(json.dumps(plan))
    try:
        data = suites.read(elsewhere, "demo")
        analysis_run(elsewhere, "demo")
    except KairosError as error:
        assert showable(str(error))
    else:
        for run in data.everything:
            assert is_name(run.planned.video)
            if run.planned.folder:
                found = (run.folder / "notebook.ipynb").resolve()
                assert found.is_relative_to(elsewhere.runs.resolve())
        for base in data.bases:
            references = (elsewhere.root / base.planned.references).resolve()
            assert not base.planned.references or references.is_relative_to(
                elsewhere.runs.resolve()
            )
        assert all(is_name(run.planned.model) for run in data.runs)
    finally:
        written.write_text(kept)


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("report", ()), ("export", ("--format", "srt", "--out", "out")),
        ("compare", ("{root}:demo:small", "{root}:demo")),
    ],
)  # fmt: skip
def test_every_command_refuses_such_a_plan_by_one_line(
    elsewhere: Project, monkeypatch: pytest.MonkeyPatch, command: str, words: tuple[str, ...]
) -> None:
    monkeypatch.setenv("KAIROS_ROOT", str(elsewhere.root))
    written = elsewhere.runs / "suites" / "demo.json"
    kept = written.read_text()
    plan = json.loads(kept)
    plan["steps"][1]["folder"] = "runs/link"
    written.write_text(json.dumps(plan))
    try:
        told = [word.format(root=elsewhere.root) for word in words]
        answer = CliRunner().invoke(main, [command, *told])
    finally:
        written.write_text(kept)
    assert answer.exit_code == 2
    (line,) = answer.stderr.splitlines()
    assert "the plan of suite demo names" in line
    assert line.endswith(", which is not in runs/")


def test_a_notebook_that_is_a_link_out_of_the_runs_is_not_shown(maker: SuiteMaker) -> None:
    maker.base()
    folder = maker.done()
    project = maker.write()
    (project.root / "private.ipynb").write_text("{}")
    (folder / "notebook.ipynb").symlink_to(project.root / "private.ipynb")
    with pytest.raises(KairosError, match="which is not in runs/"):
        suites.read(project, "demo")
