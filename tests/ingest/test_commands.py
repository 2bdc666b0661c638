"""A VIDEO may be an address: fetched once, then a file like any other."""

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from kairos_lib.bench import requirements
from kairos_lib.cli import main
from kairos_lib.ingest import at_hand
from kairos_lib.ingest.fetching import Fetched
from kairos_lib.parameters.ingest import IngestLimits
from kairos_lib.project import Project

URL = "https://films.example/watch?v=AbC"
FILE = "three-red-balls-"


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch, clip: Path) -> list[str]:
    """Addresses that were fetched: all is real but the way to the server."""
    urls: list[str] = []

    def fetched(
        url: str,
        folder: Path,
        limits: IngestLimits,
        named: Callable[[Fetched], str],
        reachable: tuple[str, ...],
    ) -> Path:
        urls.append(url)
        assert not reachable
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / named(Fetched(f"{len(urls):064x}", "Three red balls", 12.0, ".mp4"))
        path.write_bytes(clip.read_bytes())
        return path

    monkeypatch.setattr(at_hand, "fetched", fetched)
    # What models need is found out in a kernel.
    monkeypatch.setattr(requirements, "requirements_of", lambda *_: [])
    return urls


def kairos(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(main, list(arguments))
    return result.exit_code, result.output


def test_a_plan_fetches_nothing_and_says_how(unloaded: Project, asked: list[str]) -> None:
    for command in (["plan"], ["bench", "--dry-run"], ["events", "--dry-run"]):
        code, output = kairos(*command, "--model", "tiny", "--video", URL)
        assert code == 2
        assert "is not here yet, and a plan downloads nothing" in output
        assert "make fetch VIDEO=" in output
        assert len(output.splitlines()) == 1
    assert asked == []


def test_what_was_fetched_is_planned_by_its_address(unloaded: Project, asked: list[str]) -> None:
    code, output = kairos("fetch", "--video", URL)
    assert code == 0, output
    (path,) = (unloaded.root / "videos" / "fetched").iterdir()
    assert path.name.startswith(FILE)
    assert f"fetched: videos/fetched/{path.name}" in output
    code, output = kairos("plan", "--model", "tiny", "--video", URL)
    assert path.stem in output
    assert code == 0, output
    assert kairos("fetch", "--video", URL)[0] == 0
    assert asked == [URL]


def test_addresses_that_differ_in_a_letter_are_two_videos(
    unloaded: Project, asked: list[str]
) -> None:
    other = URL.replace("AbC", "abc")
    assert kairos("fetch", "--video", f"{URL},{other}")[0] == 0
    assert asked == [URL, other]
    code, output = kairos("plan", "--model", "tiny", "--video", f"{URL}, twelve, {other}")
    assert code == 0, output
    assert output.count(FILE) >= 2 and "twelve" in output


@pytest.mark.parametrize("video", ["http://127.0.0.1/a.mp4", "file:///etc/passwd"])
@pytest.mark.parametrize("command", [["fetch"], ["plan", "--model", "tiny"]])
def test_an_address_that_may_not_be_asked_is_one_line(
    unloaded: Project, asked: list[str], command: list[str], video: str
) -> None:
    code, output = kairos(*command, "--video", video)
    assert (code, len(output.splitlines()), asked) == (2, 1, [])


def test_a_name_is_nothing_to_fetch(unloaded: Project) -> None:
    code, output = kairos("fetch", "--video", "twelve")
    assert code == 2
    assert "VIDEO=twelve is no address" in output
