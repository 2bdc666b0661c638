import subprocess
import sys
from pathlib import Path

import pytest

from kairos_lib.errors import KairosError
from kairos_lib.launch.kernels import python_of
from kairos_lib.measure import provenance
from kairos_lib.project import Project


def test_a_record_says_what_it_was_made_with(project: Project) -> None:
    made = provenance.provenance(project)
    assert made["executable"] == sys.executable
    assert made["machine"]["threads"] >= 1
    assert made["machine"]["ram_mib"] > 100
    assert set(provenance.KEY_PACKAGES) <= set(made["packages"])


def test_an_uncommitted_change_is_told(tmp_path: Path) -> None:
    def git(*arguments: str) -> None:
        identity = ["-c", "user.name=n", "-c", "user.email=e@example.org"]
        subprocess.run(["git", "-C", str(tmp_path), *identity, *arguments], check=True)

    git("init", "-q")
    (tmp_path / "a").write_text("1")
    git("add", "a")
    git("commit", "-qm", "a")
    clean = provenance.git(Project(tmp_path))
    assert len(clean["commit"]) == 40
    assert clean["dirty"] is False
    (tmp_path / "a").write_text("2")
    assert provenance.git(Project(tmp_path))["dirty"] is True


def test_a_checkout_without_git_is_recorded_as_such(tmp_path: Path) -> None:
    assert provenance.git(Project(tmp_path)) == {"commit": None, "dirty": None}


def test_another_environment_is_asked_for_its_own_versions(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(tmp_path)], check=True)
    assert provenance.key_versions(str(tmp_path / "bin" / "python")) == {
        "torch": "absent",
        "transformers": "absent",
    }


def test_an_interpreter_that_is_not_there_is_one_line() -> None:
    with pytest.raises(KairosError, match="cannot ask /nowhere/python"):
        provenance.versions("/nowhere/python")


def test_an_unknown_kernel_is_answered_with_the_known_ones() -> None:
    with pytest.raises(KairosError, match=r"there is no Jupyter kernel 'nosuch'.*CONTRIBUTING.md"):
        python_of("nosuch")


def test_a_kernel_of_ones_own_is_found_by_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = tmp_path / "kernels" / "other"
    spec.mkdir(parents=True)
    argv = f'["{sys.executable}", "-m", "ipykernel_launcher", "-f", "{{connection_file}}"]'
    (spec / "kernel.json").write_text(
        f'{{"argv": {argv}, "display_name": "o", "language": "python"}}'
    )
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path))
    assert python_of("other") == sys.executable
