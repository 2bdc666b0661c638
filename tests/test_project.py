from pathlib import Path

import pytest

from kairos_lib.errors import KairosError
from kairos_lib.project import Project, exists, slug


@pytest.mark.parametrize(
    ("text", "expected"),
    [("Pasta", "pasta"), ("How to: Pasta!", "how-to-pasta"), ("../../etc", "etc"), ("é", "e")],
)
def test_a_slug_is_a_safe_folder_name(text: str, expected: str) -> None:
    assert slug(text) == expected


@pytest.mark.parametrize(("one", "other"), [("日本", "中国"), ("a" * 80, "a" * 90), ("", "日")])
def test_names_that_lose_letters_stay_apart(one: str, other: str) -> None:
    assert slug(one) != slug(other)
    assert len(slug(one)) < 80


def test_a_project_is_found_from_any_folder_in_it(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    inside = project.notebooks / "deep"
    inside.mkdir()
    monkeypatch.delenv("KAIROS_ROOT")
    assert Project.find(inside).root == project.root


def test_outside_a_project_one_line_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("KAIROS_ROOT", raising=False)
    with pytest.raises(KairosError, match="no Kairos project at or above"):
        Project.find(tmp_path)


def test_names_that_the_system_refuses_do_not_exist(tmp_path: Path) -> None:
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    assert not exists(loop)
    assert not exists("a" * 300)
